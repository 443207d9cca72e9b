package chaos

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	extremeSending = 4000 // connections with data in flight that is never acknowledged
	extremeLost    = 500  // whose peer closed its window, and vanished
	extremeSlow    = 500  // whose peer closed its window, and answers each probe
	extremeHangs   = 20   // of the neighbour
	tinyBuffer     = 4096 // bytes
)

// extremeOptions: no socket costs more than another, whatever its options are.
func extremeOptions() Fault {
	return Fault{
		Name: "extreme-options",
		Story: fmt.Sprintf("%d connections of one pod hang with the longest TCP_USER_TIMEOUT, keepalive every second and an RTO of a second at most, %d of them before a closed window; some of its neighbour hang beside them",
			extremeSending+extremeLost+extremeSlow, extremeLost+extremeSlow),
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			a, err := l.openArena(ctx, "extreme")
			defer func() { err = errors.Join(err, a.close(ctx, o)) }()
			if err != nil {
				return err
			}
			neighbours, _, err := a.silent(ctx, a.neighbour, extremeHangs)
			if err != nil {
				return err
			}
			calm := a.agent.watch(ctx, time.Second)
			groups, err := a.goToExtremes(ctx, o)
			if err != nil {
				return err
			}
			if err := a.foundEach(ctx, o, groups); err != nil {
				return err
			}
			watching, stop := context.WithCancel(ctx)
			watched := make(chan witness, 1)
			go func() { watched <- a.agent.witness(watching) }()
			err = a.dumpAndHang(ctx, o, neighbours)
			stop()
			w := <-watched
			w.judge(o, calm.slowest)
			return err
		},
	}
}

// dumpAndHang demands that dump answers meanwhile, and that new hangs are reported.
func (a *arena) dumpAndHang(ctx context.Context, o *Outcome, neighbours []*conn) error {
	b, err := a.hang("beside them", neighbours)
	if err != nil {
		return err
	}
	d, err := a.lab.dumpOf(ctx, a.agent)
	if err != nil {
		return err
	}
	o.see("dump answers in %.2f s", d.took.Seconds())
	if d.exit != 1 || d.took > dumpTime {
		o.lose("dump took %.1f s and ended with exit status %d", d.took.Seconds(), d.exit)
	}
	return onTime(ctx, o, a.reports, b)
}

// foundEach waits until every hang is listed, and names the groups that are not complete.
func (a *arena) foundEach(ctx context.Context, o *Outcome, groups []batch) error {
	began := time.Now()
	found := a.found(ctx)
	if found == nil {
		o.see("all %d are listed after %.1f s", a.truth.len(), time.Since(began).Seconds())
		return nil
	}
	o.lose("%v", found)
	byID, err := findings(ctx, a.agent)
	if err != nil {
		return err
	}
	for _, g := range groups {
		listed := 0
		for _, c := range g.conns {
			if _, ok := byID[c.id]; ok {
				listed++
			}
		}
		o.see("%d of %d %s are listed", listed, len(g.conns), g.when)
	}
	return nil
}

// goToExtremes makes connections of the pod hang in every way whose end the agent predicts
// differently, and returns them by that way.
func (a *arena) goToExtremes(ctx context.Context, o *Outcome) (groups []batch, err error) {
	for _, part := range []struct {
		workload      string
		sending, full int
		vanishes      bool
	}{
		{"extreme-lost", extremeSending, extremeLost, true},
		{"extreme-slow", 0, extremeSlow, false},
	} {
		server, err := a.lab.startServer(ctx, part.workload, "node-b")
		if err != nil {
			return nil, err
		}
		listener, err := listenIn(server, tinyBuffer)
		if err != nil {
			return nil, err
		}
		clients, servers, err := connectTo(a.pod.NS, netip.Addr{}, listener, part.sending+part.full)
		a.conns = append(append(a.conns, clients...), servers...)
		a.lab.truth.risk(clients...)
		if err := errors.Join(err, listener.Close()); err != nil {
			return nil, err
		}
		for _, c := range clients {
			if err := c.extreme(); err != nil {
				return nil, err
			}
		}
		sending, full := clients[:part.sending], clients[part.sending:]
		if err := fill(ctx, full); err != nil {
			return nil, err
		}
		a.truth.hang(full...)
		groups = append(groups, batch{when: "before a closed window (" + part.workload + ")", conns: full})
		if !part.vanishes {
			continue
		}
		if err := a.lab.cluster.DropFrom(a.lab.cluster.Nodes[1].Machine, server.Addr); err != nil {
			return nil, err
		}
		hanging, err := a.hang("with data in flight", sending)
		if err != nil {
			return nil, err
		}
		groups = append(groups, hanging)
	}
	o.inject(extremeSending + extremeLost + extremeSlow)
	return groups, nil
}

// extreme sets the options with which the kernel takes longest to abort, in the shortest
// steps.
func (c *conn) extreme() error {
	for _, option := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, math.MaxInt32}, // ms
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 127},
		{unix.SOL_SOCKET, unix.SO_SNDBUF, tinyBuffer},
	} {
		if err := unix.SetsockoptInt(c.fd, option.level, option.name, option.value); err != nil {
			return fmt.Errorf("set an extreme option: %w", err)
		}
	}
	return nil
}

// fill writes on connections whose peers do not read, until their windows are closed.
func fill(ctx context.Context, conns []*conn) error {
	block := make([]byte, 64<<10)
	for range 5 { // data sent meanwhile makes room
		for _, c := range conns {
			if _, err := unix.Write(c.fd, block); err != nil && !errors.Is(err, unix.EAGAIN) {
				return fmt.Errorf("fill a window: %w", err)
			}
		}
		if err := pause(ctx, lookInterval); err != nil {
			return err
		}
	}
	return nil
}
