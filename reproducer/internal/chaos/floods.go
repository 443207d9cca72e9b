package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

const (
	floodMemory      = 120 << 20       // bytes that an agent may have resident in any flood
	floodScrape      = time.Second     // in which it answers an honest scrape, or in ten times what that takes without a flood
	floodDescriptors = 1024            // that it may have
	floodWatch       = 5 * time.Second // at least
)

func connectionFlood() Fault {
	return flood("connection-flood", floodConnections, fmt.Sprintf("%d callers each on the unix socket, the page and the metrics port, of an agent that may have %d descriptors, hold connections: "+
		"silent, with half a header, idle, with a body that never comes; a caller that is closed comes again", callers, floodDescriptors))
}

func headerFlood() Fault {
	return flood("header-flood", floodHeaders, fmt.Sprintf("%d callers send 1 MB of headers to the metrics port, or thousands of short ones, over and over", callers))
}

// scrapeStorm: however many callers ask for metrics, the agent does its work.
func scrapeStorm() Fault {
	return flood("scrape-storm", floodScrapes, fmt.Sprintf("%d scrapers read /metrics without a pause", callers))
}

// flood: a caller that floods the ports shuts out no other.
func flood(name, kind, story string) Fault {
	const fresh = 100
	return Fault{Name: name, Story: story, play: func(ctx context.Context, l *Lab, o *Outcome) error {
		if err := l.agent.limitDescriptors(floodDescriptors); err != nil {
			return err
		}
		ports := []string{"tcp=" + l.agent.address}
		if kind == floodConnections {
			ports = append(ports, "tcp="+l.agent.page, "unix="+l.agent.socket)
		}
		l.truth.ignore(netip.MustParseAddrPort(l.agent.address))
		l.truth.ignore(netip.MustParseAddrPort(l.agent.page))
		calm := l.agent.watch(ctx, time.Second)
		attackers, err := l.agent.ns.Start(namespace.Command{Path: filepath.Join(l.bin, "chaos"), Args: append([]string{"flood", kind}, ports...)})
		if err != nil {
			return err
		}
		watching, stop := context.WithCancel(ctx)
		watched := make(chan witness, 1)
		go func() { watched <- l.agent.witness(watching) }()
		err = pause(ctx, floodWatch)
		if err == nil {
			err = stillWorks(ctx, l, o, fresh)
		}
		stop()
		w := <-watched
		o.inject(callers * len(ports))
		w.judge(o, calm.slowest)
		return errors.Join(err, attackers.Kill())
	}}
}

// limitDescriptors limits the descriptors of a running agent to n.
func (a *agent) limitDescriptors(n uint64) error {
	if err := unix.Prlimit(a.PID(), unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil {
		return fmt.Errorf("limit the agent's descriptors: %w", err)
	}
	return nil
}

// witness is what an honest caller sees of an agent meanwhile.
type witness struct {
	scrapes, failed int
	slowest         time.Duration
	resident        uint64 // bytes, the most
	why             error  // the last error
}

// watch runs a witness for a time.
func (a *agent) watch(ctx context.Context, d time.Duration) witness {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return a.witness(ctx)
}

// witness scrapes, ten times a second, until ctx ends.
func (a *agent) witness(ctx context.Context) (w witness) {
	for pause(ctx, 100*time.Millisecond) == nil {
		began := time.Now()
		_, status, err := a.get(ctx, a.address, "/metrics")
		if ctx.Err() != nil {
			break
		}
		w.scrapes++
		if err != nil || status != http.StatusOK {
			w.failed++
			w.why = fmt.Errorf("status %d: %w", status, err)
			continue
		}
		w.slowest = max(w.slowest, time.Since(began))
		if resident, err := a.memory(); err == nil {
			w.resident = max(w.resident, resident)
		}
	}
	return w
}

func (w witness) judge(o *Outcome, calm time.Duration) {
	o.see("%d honest scrapes meanwhile, the slowest took %.2f s (%.2f s without the flood); %.0f MiB resident at most",
		w.scrapes, w.slowest.Seconds(), calm.Seconds(), mib(w.resident))
	if w.failed > 0 || w.scrapes == 0 {
		o.lose("%d of %d honest scrapes failed: %v", w.failed, w.scrapes, w.why)
	}
	if w.slowest > max(floodScrape, 10*calm) {
		o.lose("an honest scrape took %.2f s", w.slowest.Seconds())
	}
	if w.resident > floodMemory {
		o.lose("%.0f MiB were resident", mib(w.resident))
	}
}
