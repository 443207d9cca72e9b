package ledger

import (
	"iter"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// ahead is how many findings are handed to the reader at once.
const ahead = 64

// inAdvance returns the same findings. A goroutine composes them while the reader
// works on earlier ones, because composing one takes as long as sending it. At most
// three times ahead findings wait for the reader.
func inAdvance(all iter.Seq[flow.Finding]) iter.Seq[flow.Finding] {
	return func(yield func(flow.Finding) bool) {
		parts, stop := make(chan []flow.Finding), make(chan struct{})
		go func() {
			defer close(parts)
			composeParts(all, parts, stop)
		}()
		defer func() {
			close(stop)
			for range parts { // until the goroutine has ended
			}
		}()
		for part := range parts {
			for _, f := range part {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// composeParts sends the findings in parts, until there are no more or stop is closed.
// It uses the memory of two parts in turn: new parts would make megabytes of garbage in a
// storm. A reader that takes a part has finished the one before.
func composeParts(all iter.Seq[flow.Finding], parts chan<- []flow.Finding, stop <-chan struct{}) {
	part, other := make([]flow.Finding, 0, ahead), make([]flow.Finding, 0, ahead)
	send := func() bool {
		select {
		case parts <- part:
			part, other = other[:0], part
			return true
		case <-stop:
			return false
		}
	}
	for f := range all {
		if part = append(part, f); len(part) == ahead && !send() {
			return
		}
	}
	if len(part) > 0 {
		send()
	}
}
