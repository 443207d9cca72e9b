package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// traffic is how much gets through with the agent and without it, which people
// compare.
type traffic struct {
	pairs  int           // of windows, one with the agent, one without, in turn
	window time.Duration // of each way to talk
}

const talkPort = 8002

// pauseAfterStart is how long an agent that has just started is left alone.
const pauseAfterStart = 700 * time.Millisecond

// road is one of the ways over which programs talk.
type road struct {
	name   string
	server netip.AddrPort
}

func roads() []road {
	return []road{
		{"loopback", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), talkPort)},
		{"veth", netip.AddrPortFrom(netip.MustParsePrefix(serverNet).Addr(), talkPort)},
	}
}

// dialogue is a way to talk over a road, and how much got through in each
// window.
type dialogue struct {
	road
	kind          byte
	what, unit    string
	per           float64 // what a talker counts, for one unit
	with, without []float64
}

func dialogues() (all []*dialogue) {
	for _, r := range roads() {
		all = append(all,
			&dialogue{road: r, kind: talkStream, what: "throughput of a stream", unit: "MB a second", per: 1e6},
			&dialogue{road: r, kind: talkAsk, what: "requests and answers", unit: "a second", per: 1},
			&dialogue{road: r, kind: talkConnect, what: "connections with a request", unit: "a second", per: 1},
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
	all := dialogues()
	for n := range b.size.traffic.pairs {
		for _, with := range []bool{n%2 == 0, n%2 != 0} { // a drift affects both
			if err := b.talkAll(ctx, client, all, with); err != nil {
				return err
			}
		}
	}
	for _, d := range all {
		b.report.paired(fmt.Sprintf("%s over %s, with the agent", d.what, d.name), d.with, d.without, d.unit)
	}
	return nil
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
		if _, err := s.tell("serve %s", roads()[n].server); err != nil {
			return nil, servers, err
		}
	}
	if client, err = newChild(b.world.net.node, "talker"); err != nil {
		return nil, servers, err
	}
	_, err = client.tell("cpu 0")
	return client, servers, err
}

// talkAll has the client talk in every way, for a window each.
func (b *bench) talkAll(ctx context.Context, client *child, all []*dialogue, with bool) error {
	if with {
		if err := withAgent(ctx, b); err != nil {
			return err
		}
		if err := pause(ctx, min(pauseAfterStart, b.size.idle)); err != nil {
			return err
		}
	}
	for _, d := range all {
		answer, err := client.tell("%c %s %d", d.kind, d.server, b.size.traffic.window.Milliseconds())
		if err != nil {
			return err
		}
		rate, err := strconv.ParseFloat(answer, 64)
		if err != nil {
			return err
		}
		if rate /= d.per; with {
			d.with = append(d.with, rate)
		} else {
			d.without = append(d.without, rate)
		}
	}
	if !with {
		return nil
	}
	err := b.agent.end()
	b.agent = nil
	return err
}
