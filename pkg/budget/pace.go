package budget

import "time"

const (
	oftenest = 5 * time.Second  // between two regular file scans
	sparing  = 25 * time.Second // up to this interval they get rarer, to take a tenth of their share
	slow     = 30 * time.Second // from this interval on it is reported that they had to become rarer
)

// Pace is how often regular file scans may come, so that they stay within their share
// of a core on a node of any size. The zero value lets the first one come at once.
type Pace struct {
	every    time.Duration
	reported bool
}

// Took takes the CPU time of the last scan. It returns the new interval, and true
// once when that has become slow.
func (p *Pace) Took(d time.Duration, share float64) (time.Duration, bool) {
	atFull := time.Duration(float64(d) / share)
	p.every = max(oftenest, min(sparing, 10*atFull), atFull)
	if p.every < slow {
		p.reported = false
		return p.every, false
	}
	report := !p.reported
	p.reported = true
	return p.every, report
}

// Every returns the time from one scan to the next.
func (p *Pace) Every() time.Duration { return p.every }

// Slowed reports whether scans had to become rarer than they should be.
func (p *Pace) Slowed() bool { return p.every >= slow }
