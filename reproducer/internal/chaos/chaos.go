// Package chaos does to the agent, while thousands of connections hang, what happens to
// programs on real nodes, and compares its reports with the truth. The truth is this
// package's own record of the connections that it made hang.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Fault is one kind of trouble.
type Fault struct {
	Name  string
	Story string // what is injected, in a line

	play func(context.Context, *Lab, *Outcome) error
}

// All returns every fault, in the order of play: a restart forgets the pods that are gone,
// no agent can start in sight of a namespace that is gone, and a full table stays full.
func All() []Fault {
	return []Fault{
		ring(), records(), hostile(), twins(), conntrackErrors(), readers(), scrapeStorm(), connectionFlood(), headerFlood(), clockJumps(), diskFull(), deafPipe(),
		pageTaken(), sigterm(), crowd(), soak(), suppressedFlood(), greedyOwner(), extremeOptions(), massRecovery(), flappingEndpoint(),
		kill(), restarts(), goneNamespace(), tableFull(),
	}
}

// Outcome is the result of a fault.
type Outcome struct {
	Injected int      // how often it was injected
	Seen     []string // what was seen of it
	Lost     []string // what should not have happened: empty, or the agent has a defect
}

func (o *Outcome) inject(n int) { o.Injected += n }

func (o *Outcome) see(format string, args ...any) {
	o.Seen = append(o.Seen, fmt.Sprintf(format, args...))
}

func (o *Outcome) lose(format string, args ...any) {
	o.Lost = append(o.Lost, fmt.Sprintf(format, args...))
}

// Options say how to play.
type Options struct {
	Bin   string // directory of tcpstuck-agent, tcpstuck, echo and chaos
	Base  string // where the run's directory is made, e.g. /run
	Storm int    // how many connections hang the whole time
	Out   io.Writer
}

// Run plays faults one after the other in one lab and writes a paragraph on each. It
// returns how many of them cost anything; an error means that they could not be played to
// the end.
func Run(ctx context.Context, o Options, faults []Fault) (failed int, err error) {
	began := time.Now()
	l, err := open(ctx, o)
	defer func() { err = errors.Join(err, l.close()) }()
	if err != nil {
		return 0, fmt.Errorf("set up the lab: %w", err)
	}
	fmt.Fprintf(o.Out, "%d connections hang, %d are healthy; set up in %.1f s\n\n", o.Storm, healthyBusy+healthyIdle, time.Since(began).Seconds())
	injected, lost := 0, 0
	for _, f := range faults {
		out, err := l.playOne(ctx, f)
		injected, lost = injected+out.Injected, lost+len(out.Lost)
		if len(out.Lost) > 0 {
			failed++
		}
		if err != nil {
			return failed, fmt.Errorf("play %s: %w", f.Name, err)
		}
	}
	fmt.Fprintf(o.Out, "%d kinds of faults, %d injected, %d things lost, in %.0f s\n", len(faults), injected, lost, time.Since(began).Seconds())
	return failed, nil
}

// patience is how long one fault may take.
const patience = 4 * time.Minute

func (l *Lab) playOne(ctx context.Context, f Fault) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	var o Outcome
	err := f.play(ctx, l, &o)
	if err == nil {
		l.settle(ctx, &o)
	}
	word := "ok"
	if len(o.Lost) > 0 || err != nil {
		word = "FAILED"
	}
	fmt.Fprintf(l.out, "%s: %s\n", f.Name, f.Story)
	for _, s := range o.Seen {
		fmt.Fprintf(l.out, "    %s\n", s)
	}
	for _, s := range o.Lost {
		fmt.Fprintf(l.out, "    LOST: %s\n", strings.ReplaceAll(s, "\n", "\n    "))
	}
	fmt.Fprintf(l.out, "    %s: %d injected, %d lost, %.1f s\n\n", word, o.Injected, len(o.Lost), time.Since(began).Seconds())
	return o, err
}
