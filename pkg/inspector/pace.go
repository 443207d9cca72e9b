package inspector

import "time"

const (
	oftenest = 5 * time.Second  // between two regular passes over all sockets
	sparing  = 12 * time.Second // up to which they get rarer to take a tenth of their share
	slow     = 15 * time.Second // from which on it is told that they had to become rarer
)

// pace is how often the regular passes over all sockets may come, so that
// they stay within their share of a core on a node of any size.
type pace struct {
	every time.Duration
	told  bool
}

// took takes what the last pass took. It returns the new interval and true
// when that has become slow and nobody was told yet.
func (p *pace) took(d time.Duration, share float64) (time.Duration, bool) {
	atFull := time.Duration(float64(d) / share)
	p.every = max(oftenest, min(sparing, 10*atFull), atFull)
	if p.every < slow {
		p.told = false
		return p.every, false
	}
	tell := !p.told
	p.told = true
	return p.every, tell
}

// slowed reports whether passes had to become rarer than they should be.
func (p *pace) slowed() bool { return p.every >= slow }
