package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// everyFlow asks for all flows, in short.
var everyFlow = api.Query{State: api.Live, Muted: true, Brief: true}

const (
	asks      = 3           // how often each question is asked; the slowest answer counts
	scrapeAge = time.Second // until a scrape is not answered from the last one
)

// measureAnswers asks the agent what people and Prometheus ask, during the
// storm, and compares how it lists the sockets with how ss does.
func (b *bench) measureAnswers(ctx context.Context) error {
	scrape := func() (time.Duration, error) {
		return timeOf(func() error { _, err := b.agent.scrape(ctx); return err })
	}
	for _, q := range []struct {
		what string
		ask  func() (time.Duration, error)
	}{
		{"dump", func() (time.Duration, error) { return b.agent.dump() }},
		{"dump -o json", func() (time.Duration, error) { return b.agent.dump("-o", "json") }},
		{"/metrics", scrape},
	} {
		var took []time.Duration
		for range asks {
			if err := pause(ctx, scrapeAge); err != nil {
				return err
			}
			d, err := q.ask()
			if err != nil {
				return err
			}
			took = append(took, d)
		}
		b.report.atMost(q.what+" in the storm, slowest", ms(slices.Max(took)), 2000, "ms")
	}
	return b.compareListing(ctx)
}

// compareListing reads all suspects of both namespaces as the agent does at
// its start and after a loss, and lists them with ss.
func (b *bench) compareListing(context.Context) error {
	var scope []uint32
	for _, ns := range []*namespace{b.net.node, b.net.backends} {
		inum, err := ns.inode()
		if err != nil {
			return err
		}
		scope = append(scope, uint32(inum))
	}
	kernel, err := tracer.Open(tracer.Options{Scope: scope})
	if err != nil {
		return err
	}
	defer kernel.Close()
	if _, err := kernel.Sweep(); err != nil {
		return err
	}
	var ours, theirs []time.Duration
	found := 0
	for range asks {
		d, err := timeOf(func() error {
			sockets, err := kernel.Snapshot()
			found = len(sockets)
			return err
		})
		if err != nil {
			return err
		}
		ours = append(ours, d)
		if d, err = listWithSS(b.net); err != nil {
			return err
		}
		theirs = append(theirs, d)
	}
	b.report.share(fmt.Sprintf("list %d suspects", found), ms(quantile(ours, 0.5)), ms(quantile(theirs, 0.5)), third, "ms", "ss -tino")
	return nil
}
