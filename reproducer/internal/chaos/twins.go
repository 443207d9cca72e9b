package chaos

import (
	"context"
	"strings"
	"time"
)

// twins: two agents share a kernel, and do not disturb each other.
func twins() Fault {
	return Fault{
		Name:  "twins",
		Story: "a second agent on the same sockets, then a third that wants the first one's unix socket",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			second, err := l.startReady(ctx, agentSpec{name: "twin"})
			if err != nil {
				return err
			}
			o.inject(1)
			for _, a := range []*agent{l.agent, second} {
				if err := l.truth.found(ctx, a); err != nil {
					o.lose("%v", err)
				}
				list, err := a.flows(ctx)
				if err != nil {
					return err
				}
				o.see("agent %s lists %d of %d flows", a.spec.name, l.truth.listed(list), l.truth.len())
			}
			if err := usurp(l, o); err != nil {
				return err
			}
			if _, err := second.terminate(); err != nil {
				o.lose("%v", err)
			}
			return nil
		},
	}
}

// usurp starts an agent on the socket of one that lives.
func usurp(l *Lab, o *Outcome) error {
	third, err := l.start(agentSpec{name: "usurper", socket: l.agent.socket})
	if err != nil {
		return err
	}
	o.inject(1)
	select {
	case <-third.Done():
	case <-time.After(grace):
		o.lose("a second agent runs on the first one's socket")
		return third.Kill()
	}
	if said := third.tail(); third.Err() == nil || third.Err().Error() != "exit status 2" || !strings.Contains(said, "another agent answers on it") {
		o.lose("a second agent on the first one's socket ended with %v: %s", third.Err(), said)
		return nil
	}
	o.see("the third ends with status 2: another agent answers on its socket")
	return nil
}
