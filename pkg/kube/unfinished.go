package kube

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"
)

const (
	// settleTime is how long text that does not prove its end has to stay the
	// same before it counts: a program that writes a file does not pause for so
	// long.
	settleTime = 2 * time.Second
	// maxUnsettled is how long such text may go on changing before the records
	// count as unreadable.
	maxUnsettled = 3 * settleTime
)

// errUnfinished is returned for a list that may not be complete.
var errUnfinished = fmt.Errorf("it does not stay the same for %s, and nothing tells its end: write `kind` after the items, or a last line `...`", settleTime)

// whole reports whether text that Decode can read proves that nothing is missing
// at its end: JSON by its last brace, YAML by a last line `...`, or by a kind
// after the items, as kubectl writes it. Any other YAML, cut after an item, is a
// valid list with fewer items.
func whole(data []byte) bool {
	text := bytes.TrimSpace(data)
	if isJSON(text) || bytes.HasSuffix(text, []byte("\n...")) {
		return true
	}
	items := member(text, "items")
	return items >= 0 && member(text, "kind") > items
}

func isJSON(data []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) }

// member returns the position of a key of the outermost mapping at the start of
// a line, or -1.
func member(text []byte, key string) int {
	if bytes.HasPrefix(text, []byte(key+":")) {
		return 0
	}
	return bytes.Index(text, []byte("\n"+key+":"))
}

// unfinished is text that can be read but does not prove its end.
type unfinished struct {
	first time.Time // when such text was first read; zero: there is none
	since time.Time // since when the text is the same
	sum   [sha256.Size]byte
}

// settled takes in a reading. It reports whether the text has stayed the same
// for long enough.
func (u *unfinished) settled(data []byte, at time.Time) bool {
	sum := sha256.Sum256(data)
	if u.first.IsZero() {
		u.first = at
	}
	if u.since.IsZero() || sum != u.sum {
		u.sum, u.since = sum, at
	}
	return at.Sub(u.since) >= settleTime
}

// again returns a channel that is ready when the text may have settled; nil if
// there is no such text.
func (u *unfinished) again() <-chan time.Time {
	if u.since.IsZero() {
		return nil
	}
	return time.After(time.Until(u.since.Add(settleTime)))
}
