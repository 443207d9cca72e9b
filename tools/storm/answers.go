package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// everyFlow asks for all flows, in short.
var everyFlow = api.Query{State: api.Live, Suppressed: true, Brief: true}

// scrapeAge is the time until a scrape gets an answer of its own.
const scrapeAge = time.Second

// question is a request of people or Prometheus to the agent in the storm.
type question struct {
	what  string
	ask   func() (time.Duration, error)
	limit float64 // in units of the time that ss takes to list the same sockets
}

func (b *bench) questions(ctx context.Context) []question {
	return []question{
		{"dump", func() (time.Duration, error) { return b.agent.dump() }, 2},
		{"dump -o json", func() (time.Duration, error) { return b.agent.dump("-o", "json") }, 3},
		{"/metrics", func() (time.Duration, error) {
			return timeOf(func() error { _, err := b.agent.scrape(ctx); return err })
		}, 0.4},
	}
}

// measureAnswers asks the agent during the storm. Just before each question, ss lists the
// same sockets: the machine is faster in one moment than in another. The budgets are those
// of the first size.
func measureAnswers(ctx context.Context, b *bench) error {
	var listings []float64
	for _, q := range b.questions(ctx) {
		var took, listing []float64
		for range b.size.asks {
			if err := pause(ctx, scrapeAge); err != nil {
				return err
			}
			listed, err := listWithSS(b.world.net)
			if err != nil {
				return err
			}
			asked, err := q.ask()
			if err != nil {
				return err
			}
			took, listing = append(took, ms(asked)), append(listing, ms(listed))
		}
		listings = append(listings, listing...)
		what := b.size.name(q.what + " in the storm")
		if b.size.onlyFits() {
			b.report.sliceRatio(what, took, listing, "ms", ssListing)
			continue
		}
		b.report.sliceShare(what, took, listing, q.limit, "ms", ssListing)
		b.report.tell(what+", slowest", number(slices.Max(took))+" ms", "")
	}
	b.listing = median(listings)
	if b.size.onlyFits() {
		return nil
	}
	return b.compareSnapshot()
}

const ssListing = "ss -tino of the same sockets"

// compareSnapshot reads all suspects of both namespaces, as the agent does at
// its start and after a loss.
func (b *bench) compareSnapshot() error {
	var scope []uint32
	for _, ns := range []*namespace{b.world.net.node, b.world.net.backends} {
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
	if _, err := kernel.ScanFiles(); err != nil {
		return err
	}
	var took []time.Duration
	found := 0
	for range b.size.asks {
		d, err := timeOf(func() error {
			found = 0
			return kernel.Snapshot(func(flow.Socket) { found++ })
		})
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	b.report.share(fmt.Sprintf("list %d suspects", found), ms(quantile(took, 0.5)), b.listing, third, "ms", ssListing)
	return nil
}
