package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// damage is a way to write the cluster-state file badly. Each leaves the good
// content behind, or has it written again.
type damage struct {
	name string
	do   func(path string, good []byte) error
}

func damages() []damage {
	write := func(path string, b []byte) error { return os.WriteFile(path, b, 0o600) }
	return []damage{
		{"rewritten in place", write},
		{"replaced by rename", func(path string, good []byte) error {
			if err := write(path+".new", good); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}},
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

// records: an agent whose records come out torn says less, and nothing wrong.
func records() Fault {
	const (
		each     = 200 // times, 100 a second
		interval = 10 * time.Millisecond
	)
	return Fault{
		Name:  "cluster-state",
		Story: "the file of cluster records is written 100 times a second: in place, by rename, truncated, empty, broken, removed",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			path := l.cluster.StatePath()
			good, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			list, err := l.agent.flows(ctx)
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
				// What is torn for long is seen torn.
				if err := l.stillTrue(ctx, o, d.name, before); err != nil {
					return err
				}
			}
			if err := os.WriteFile(path, good, 0o600); err != nil {
				return err
			}
			return l.recordsTrusted(ctx, o)
		},
	}
}

// stillTrue demands that an agent lists no healthy connection, and every
// other, and has forgotten nothing that the last good records said.
func (l *Lab) stillTrue(ctx context.Context, o *Outcome, when string, before int) error {
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
func (l *Lab) recordsTrusted(ctx context.Context, o *Outcome) error {
	took, err := l.agent.awaitSource(ctx, flow.SourceCluster, func(h flow.Health) bool { return h.Up })
	if err != nil {
		o.lose("the records are not trusted again: %v", err)
		return nil
	}
	o.see("whole again: trusted after %.1f s", took.Seconds())
	return nil
}
