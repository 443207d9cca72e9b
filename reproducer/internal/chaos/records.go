package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// damage is a way to write the cluster-state file badly. Each leaves the good content
// behind, or has it written again.
type damage struct {
	name string
	do   func(path string, good []byte) error
}

func damages() []damage {
	write := func(path string, b []byte) error { return os.WriteFile(path, b, 0o600) }
	return []damage{
		{"rewritten in place", write},
		{"replaced by rename", replaceFile},
		{"truncated", func(path string, good []byte) error { return write(path, good[:len(good)/2]) }},
		{"empty", func(path string, _ []byte) error { return write(path, nil) }},
		{"broken", func(path string, good []byte) error { return write(path, append([]byte("}{\x00"), good...)) }},
		{"removed", func(path string, _ []byte) error {
			if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
				return err
			}
			return nil
		}},
	}
}

// records: an agent with torn records says less, and nothing wrong.
func records() Fault {
	const (
		each     = 200 // times, 100 a second
		interval = 10 * time.Millisecond
	)
	return Fault{
		Name:  "cluster-state",
		Story: "the file of cluster records is written 100 times a second: in place, by rename, truncated, empty, broken, removed",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			path, good, list, err := recorded(ctx, l)
			if err != nil {
				return err
			}
			before := knownGone(list)
			for _, d := range damages() {
				for range each {
					if err := d.do(path, good); err != nil {
						return fmt.Errorf("%s: %w", d.name, err)
					}
					o.inject(1)
					if err := pause(ctx, interval); err != nil {
						return err
					}
				}
				// What stays torn for long is noticed.
				if err := stillTrue(ctx, l, o, d.name, before); err != nil {
					return err
				}
			}
			if err := os.WriteFile(path, good, 0o600); err != nil {
				return err
			}
			return recordsTrusted(ctx, l, o)
		},
	}
}

// stillTrue demands that an agent lists no healthy connection, and every hanging one, and
// has forgotten nothing from the last good records.
func stillTrue(ctx context.Context, l *Lab, o *Outcome, when string, before int) error {
	list, err := l.agent.flows(ctx)
	if err != nil {
		return err
	}
	if d := l.truth.compare(list); !d.none() {
		o.lose("while the file was %s: %v", when, d)
	}
	gone := knownGone(list)
	if gone < before {
		o.lose("while the file was %s: %d flows to a backend that is known to be gone, %d before", when, gone, before)
	}
	o.see("%s: %d flows listed, %d of them to a backend that is known to be gone", when, len(list), gone)
	return nil
}

// recorded returns the file of cluster records, what it holds, and the flows that
// are judged by it.
func recorded(ctx context.Context, l *Lab) (path string, content []byte, list []flow.Finding, err error) {
	path = l.cluster.StatePath()
	if content, err = os.ReadFile(path); err != nil {
		return "", nil, nil, err
	}
	list, err = l.agent.flows(ctx)
	return path, content, list, err
}

// knownGone counts the flows whose backend an agent knows to be deleted.
func knownGone(list []flow.Finding) int {
	n := 0
	for _, f := range list {
		if f.Backend != nil && f.Backend.State == flow.BackendDeleted {
			n++
		}
	}
	return n
}

// recordsTrusted waits until the agent trusts its records again.
func recordsTrusted(ctx context.Context, l *Lab, o *Outcome) error {
	took, err := l.agent.awaitSource(ctx, flow.SourceCluster, func(h flow.Health) bool { return h.Up })
	if err != nil {
		o.lose("the records are not trusted again: %v", err)
		return nil
	}
	o.see("whole again: trusted after %.1f s", took.Seconds())
	return nil
}
