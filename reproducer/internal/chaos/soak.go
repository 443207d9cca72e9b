package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	soakRounds = 10
	soakFrom   = 4   // the plateau begins: more findings ended than are kept
	soakFlows  = 300 // a round, a quarter of them for each way to end
)

// soak: thousands of flows come, hang and go, and leave nothing behind.
func soak() Fault {
	return Fault{
		Name: "soak",
		Story: fmt.Sprintf("%d rounds of %d connections that hang, then recover, time out, are reset, or are closed",
			soakRounds, soakFlows),
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			server, err := l.startServer(ctx, "soak", "node-b")
			if err != nil {
				return err
			}
			listener, err := listenIn(server, 0)
			if err != nil {
				return err
			}
			defer listener.Close()
			var start usage
			for round := range soakRounds {
				if round == soakFrom {
					if start, err = l.agent.usage(ctx); err != nil {
						return err
					}
				}
				if err := soakRound(ctx, l, o, listener); err != nil {
					return fmt.Errorf("round %d: %w", round+1, err)
				}
			}
			end, err := l.agent.usage(ctx)
			if err != nil {
				return err
			}
			o.see("after round %d: %v", soakFrom, start)
			o.see("after round %d: %v", soakRounds, end)
			for _, grown := range end.grown(start) {
				o.lose("%s", grown)
			}
			return nil
		},
	}
}

// soakRound makes connections hang, and ends each quarter of them in another way.
func soakRound(ctx context.Context, l *Lab, o *Outcome, listener net.Listener) error {
	clients, servers, err := connectTo(l.client.NS, netip.Addr{}, listener, soakFlows)
	if err != nil {
		return err
	}
	defer closeAll(servers)
	if err := l.cluster.Cut(l.cluster.Nodes[1].Machine); err != nil {
		return err
	}
	if err := l.hang(clients); err != nil {
		return err
	}
	l.held = append(l.held, clients...)
	o.inject(soakFlows)
	if err := l.truth.found(ctx, l.agent); err != nil {
		o.lose("%v", err)
	}
	quarter := soakFlows / 4
	recovering, timeOut, reset, closed := clients[:quarter], clients[quarter:2*quarter], clients[2*quarter:3*quarter], clients[3*quarter:]
	l.truth.risk(recovering...)
	l.truth.risk(reset...)
	for _, c := range timeOut {
		l.truth.risk(c)
		if err := c.giveUpAfter(time.Millisecond); err != nil {
			return err
		}
	}
	for _, c := range servers[2*quarter : 3*quarter] {
		c.end() // a reset that no peer receives
	}
	l.calmDown(closed)
	if err := awaitErrors(ctx, timeOut); err != nil {
		return fmt.Errorf("time out: %w", err)
	}
	if err := l.cluster.Restore(l.cluster.Nodes[1].Machine); err != nil {
		return err
	}
	if err := awaitErrors(ctx, reset); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	for _, c := range recovering {
		if err := c.drained(ctx); err != nil {
			return fmt.Errorf("recover: %w", err)
		}
	}
	for _, over := range [][]*conn{recovering, timeOut, reset} {
		l.calmDown(over)
	}
	return nil
}

// awaitErrors waits until the kernel has aborted every connection.
func awaitErrors(ctx context.Context, conns []*conn) error {
	for _, c := range conns {
		err := await(ctx, func() (bool, error) {
			poll := []unix.PollFd{{Fd: int32(c.fd)}}
			_, err := unix.Poll(poll, 0)
			return poll[0].Revents&unix.POLLERR != 0, ignoreEINTR(err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// drained waits until everything that was written is acknowledged.
func (c *conn) drained(ctx context.Context) error {
	return await(ctx, func() (bool, error) {
		left, err := unix.IoctlGetInt(c.fd, unix.SIOCOUTQ)
		return left == 0, err
	})
}

func ignoreEINTR(err error) error {
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

// grown names what of an agent's usage has grown by more than the noise.
func (u usage) grown(since usage) []string {
	var grown []string
	for _, g := range []struct {
		what          string
		before, after uint64
		noise         uint64
	}{
		{"descriptors", uint64(since.descriptors), uint64(u.descriptors), 2},
		{"goroutines", uint64(since.goroutines), uint64(u.goroutines), 4},
		{"bytes of heap", since.heap, u.heap, max(2<<20, since.heap/10)},
		{"bytes of BPF maps", since.bpf, u.bpf, 0},
	} {
		if g.after > g.before+g.noise {
			grown = append(grown, fmt.Sprintf("%s grew from %d to %d", g.what, g.before, g.after))
		}
	}
	return grown
}
