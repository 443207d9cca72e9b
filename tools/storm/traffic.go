package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// traffic is how much gets through with the agent and without it, which people
// compare.
type traffic struct {
	window  time.Duration // of each way to talk
	least   int           // rounds: some windows with the agent, as many without
	longest time.Duration // more rounds may take, until the intervals are narrow
	weighed time.Duration // of one window in which the agent's part is measured
}

// windowsInRound is how many windows with the agent, and without it, each way to talk
// has in a round.
const windowsInRound = 3

const talkPort = 8002

// pauseAfterStart is how long an agent that has just started is left alone.
const pauseAfterStart = 700 * time.Millisecond

// road is one of the ways over which programs talk.
type road struct {
	name string
	to   netip.AddrPort
}

func roads() []road {
	return []road{
		{"loopback", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), talkPort)},
		{"veth", netip.AddrPortFrom(netip.MustParsePrefix(serverNet).Addr(), talkPort)},
	}
}

// dialogue is a way to talk over a road, and how much got through for a second of
// CPU of both programs: the clock on the wall goes on while the host or other programs
// have the processor.
type dialogue struct {
	road
	comparison
	server     *child
	kind       byte
	what, unit string
	per        float64 // what a talker counts, for one unit
}

func dialogues(servers []*child) (all []*dialogue) {
	for n, r := range roads() {
		s := servers[n]
		all = append(all,
			&dialogue{road: r, server: s, kind: talkStream, what: "throughput of a stream", unit: "MB a second of CPU", per: 1e6},
			&dialogue{road: r, server: s, kind: talkAsk, what: "requests and answers", unit: "a second of CPU", per: 1},
			&dialogue{road: r, server: s, kind: talkConnect, what: "connections with a request", unit: "a second of CPU", per: 1},
		)
	}
	return all
}

// measureTraffic compares, window by window, what gets through with the agent
// and without it.
func measureTraffic(ctx context.Context, b *bench) error {
	return b.play(ctx, withRoad, compareTraffic)
}

func withRoad(_ context.Context, b *bench) (err error) {
	b.world, err = newRoad(b.dir)
	return err
}

func compareTraffic(ctx context.Context, b *bench) (err error) {
	client, servers, err := b.startTalkers()
	defer func() {
		for _, c := range append(servers, client) {
			if c != nil {
				err = errors.Join(err, c.end())
			}
		}
	}()
	if err != nil {
		return err
	}
	all, began := dialogues(servers), time.Now()
	for n := 0; n < b.size.traffic.least || time.Since(began) < b.size.traffic.longest && !settled(all); n++ {
		for _, with := range []bool{n%2 == 0, n%2 != 0} { // a drift affects both
			if err := b.talkAll(ctx, client, all, with); err != nil {
				return err
			}
		}
	}
	for _, d := range all {
		b.report.paired(fmt.Sprintf("%s over %s, with the agent", d.what, d.name), d.comparison, d.unit)
	}
	return b.weigh(ctx, client, all)
}

func settled(all []*dialogue) bool {
	for _, d := range all {
		if !d.settled() {
			return false
		}
	}
	return true
}

// startTalkers starts the client and a server at the end of each road.
func (b *bench) startTalkers() (client *child, servers []*child, err error) {
	for n, ns := range []*namespace{b.world.net.node, b.world.net.backends} {
		s, err := newChild(ns, "talker")
		if err != nil {
			return nil, servers, err
		}
		servers = append(servers, s)
		if _, err := s.tell("cpu 1"); err != nil {
			return nil, servers, err
		}
		if _, err := s.tell("serve %s", roads()[n].to); err != nil {
			return nil, servers, err
		}
	}
	if client, err = newChild(b.world.net.node, "talker"); err != nil {
		return nil, servers, err
	}
	_, err = client.tell("cpu 0")
	return client, servers, err
}

// talkAll has the client talk in every way, for some windows each.
func (b *bench) talkAll(ctx context.Context, client *child, all []*dialogue, with bool) error {
	if err := b.switchAgent(ctx, with); err != nil {
		return err
	}
	for range windowsInRound {
		for _, d := range all {
			w, err := d.talk(client, b.size.traffic.window)
			if err != nil {
				return err
			}
			if with {
				d.with = append(d.with, w)
			} else {
				d.without = append(d.without, w)
			}
		}
	}
	return ctx.Err()
}

// switchAgent starts or ends the agent, unless it is so already.
func (b *bench) switchAgent(ctx context.Context, with bool) error {
	switch {
	case with && b.agent == nil:
		if err := withAgent(ctx, b); err != nil {
			return err
		}
		return pause(ctx, min(pauseAfterStart, b.size.idle))
	case !with && b.agent != nil:
		err := b.agent.end()
		b.agent = nil
		return err
	}
	return nil
}

// talk has the client talk for a window.
func (d *dialogue) talk(client *child, length time.Duration) (window, error) {
	before, err := d.spent(client)
	if err != nil {
		return window{}, err
	}
	done, err := client.ask("%c %s %d", d.kind, d.to, length.Milliseconds())
	if err != nil {
		return window{}, err
	}
	after, err := d.spent(client)
	if err != nil {
		return window{}, err
	}
	return window{rate: float64(done) / d.per / (after - before).Seconds(), empty: done == 0}, nil
}

// spent returns the CPU time that both programs have used.
func (d *dialogue) spent(client *child) (sum time.Duration, err error) {
	for _, c := range []*child{client, d.server} {
		used, err := cpu(c.pid())
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}
