package evidence

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const (
	probedServices = 3      // Services whose entries are looked for in one slow round
	seekShare      = 0.0001 // share of a core for looking for a translation
)

// zones searches the whole conntrack table, within a budget.
type zones struct {
	conntrack  Conntrack // nil: down
	meter      Meter
	searches   *budget.Budget
	entryless  map[netip.Addr]bool // Services that had no entry in this round
	translates bool                // nf_conntrack was seen to translate a Service here
	soughtAt   time.Time           // when a translation was last looked for
	pace       budget.Pace
}

// open reports whether a flow has no entry in the default zone, and the other
// zones were not asked yet.
func (z *zones) open(e diagnosis.Evidence) bool {
	return z.conntrack != nil && e.Conntrack.Missing && !e.Conntrack.Zones && e.Peer.Class == flow.PeerService
}

// ask looks for a flow's entry in the other zones and reports whether it found
// one. A question that could not be asked is asked in a later round. Many flows to
// one Service lose their entries at once: if the Service has none at all, one
// search answers for all of them.
func (z *zones) ask(ctx context.Context, e *diagnosis.Evidence) (found bool) {
	if !z.open(*e) {
		return false
	}
	c, service := &e.Conntrack, e.Socket.Remote.Addr()
	if z.entryless[service] {
		c.Zones = true
		return false
	}
	if !z.searches.Allows(e.Now) {
		return false
	}
	entries, err := z.search(ctx, service, e.Socket.Tuple())
	switch {
	case errors.Is(err, conntrack.ErrNotFound):
		c.Zones = true
	case err == nil:
		c.Missing, c.Entry = false, &entries[0]
	}
	return err == nil // otherwise only the default zone is known
}

func (z *zones) search(ctx context.Context, service netip.Addr, tuple flow.Tuple) ([]flow.Translation, error) {
	ctx, cancel := lookup(ctx, searchPatience)
	defer cancel()
	began := time.Now()
	defer func() { z.paid(time.Since(began)) }()
	translates, err := z.conntrack.Translates(ctx, service)
	if err != nil {
		return nil, err
	}
	if !translates {
		z.entryless[service] = true
		return nil, conntrack.ErrNotFound
	}
	return z.conntrack.Search(ctx, tuple)
}

func (z *zones) paid(took time.Duration) {
	z.searches.Charge(took, time.Now())
	z.meter.Scan("conntrack", took)
}

// seek finds out, once, whether this node's nf_conntrack translates Services at
// all: it asks for a few of them in each slow round.
func (z *zones) seek(ctx context.Context, services []netip.Addr) {
	now := time.Now()
	if z.translates || z.conntrack == nil || now.Sub(z.soughtAt) < z.pace.Every() {
		return
	}
	z.soughtAt = now
	defer func() { z.pace.Took(time.Since(now), seekShare) }()
	search, cancel := lookup(ctx, searchPatience)
	defer cancel()
	for _, ip := range services {
		if ctx.Err() != nil || !z.searches.Allows(time.Now()) {
			return
		}
		began := time.Now()
		found, err := z.conntrack.Translates(search, ip)
		z.searches.Charge(time.Since(began), time.Now())
		if err != nil {
			return
		}
		if found {
			z.translates = true
			return
		}
	}
}
