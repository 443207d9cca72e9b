package kube

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"
)

const (
	// restTime is how long text that does not prove its end has to stay the same
	// until it is believed: who writes a file does not pause for so long.
	restTime = 2 * time.Second
	// restless is how long such text may go on changing until the records
	// count as unreadable.
	restless = 3 * restTime
)

// errUnproven is returned for a list that may go on.
var errUnproven = fmt.Errorf("it does not stay the same for %s, and nothing tells its end: write `kind` after the items, or a last line `...`", restTime)

// whole reports whether text that Decode reads proves that nothing is missing
// at its end: JSON by its last brace, YAML by a last line `...`, or by a kind
// after the items, as kubectl writes it. Any other YAML that is cut behind an
// item is a list with fewer items.
func whole(data []byte) bool {
	text := bytes.TrimSpace(data)
	if isJSON(text) || bytes.HasSuffix(text, []byte("\n...")) {
		return true
	}
	items := member(text, "items")
	return items >= 0 && member(text, "kind") > items
}

func isJSON(data []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) }

// member returns where a line begins with a key of the outermost mapping, -1
// if none does.
func member(text []byte, key string) int {
	if bytes.HasPrefix(text, []byte(key+":")) {
		return 0
	}
	return bytes.Index(text, []byte("\n"+key+":"))
}

// unproven is text that could be read and does not prove its end.
type unproven struct {
	first time.Time // since when there is such text; zero: there is none
	since time.Time // since when it is the same
	sum   [sha256.Size]byte
}

// rested takes in a reading, and reports whether it can be believed.
func (u *unproven) rested(data []byte, at time.Time) bool {
	sum := sha256.Sum256(data)
	if u.first.IsZero() {
		u.first = at
	}
	if u.since.IsZero() || sum != u.sum {
		u.sum, u.since = sum, at
	}
	return at.Sub(u.since) >= restTime
}

// again returns a channel that is ready when the text may have rested; nil if
// there is none.
func (u *unproven) again() <-chan time.Time {
	if u.since.IsZero() {
		return nil
	}
	return time.After(time.Until(u.since.Add(restTime)))
}
