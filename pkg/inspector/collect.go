package inspector

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/budget"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

// batch is how many records are taken at once.
const batch = 4096

// collected is what the kernel side returned in one turn.
type collected struct {
	records []tracer.Record
	reading *reading
	scanned time.Time // when the file scan of this turn began; zero: there was none
}

// reading is one look at suspects. It is made while it is applied, socket by socket:
// all sockets of a storm at once would take more room than all that is kept of them,
// and no flow would be judged before the last one is read.
type reading struct {
	each     func(show func(flow.Socket)) error // after an error, an absence means nothing
	named    []flow.ID                          // it has those of them that live
	complete bool                               // it has all suspects
	at       time.Time                          // when it began
}

// collector reads the kernel side.
type collector struct {
	kernel    Kernel
	listening *evidence.Listening
	meter     Meter
	log       logger
	scans     *budget.Budget

	pace      budget.Pace
	scannedAt time.Time
	lookedAt  time.Time
	signs     tracer.Signs
	unwatched time.Time // when the kernel side last left out a suspect; see tracer.Signs
	recovered bool      // a flow has signalled its recovery since the last look
	unread    bool      // the last look failed, and the kernel side may take its flows for shown
	err       error
	at        time.Time // when the kernel side was last read
}

// records takes the records that wait, a batch at most.
func (c *collector) records(ctx context.Context, first ...tracer.Record) []tracer.Record {
	taken := first
	for len(taken) < batch && ctx.Err() == nil {
		select {
		case r := <-c.kernel.Records():
			taken = append(taken, r)
		default:
			return taken
		}
	}
	return taken
}

// fewNamed is the largest number of suspects to read by name: for more of them a
// snapshot is as cheap.
const fewNamed = 1000

// look reads the named suspects and all that is new. It takes the records that
// wait first: a busy machine may take seconds between two looks at them, and a
// flow whose end is known must not count as absent.
func (c *collector) look(ctx context.Context, named []flow.ID) collected {
	if len(named) > fewNamed {
		return c.snapshot(ctx)
	}
	got := collected{records: c.records(ctx)}
	c.lookedAt, c.recovered = time.Now(), false
	got.reading = &reading{named: named, at: c.lookedAt, each: func(show func(flow.Socket)) error {
		err := c.kernel.Incremental(named, show)
		c.saw(err)
		c.unread = c.unread || err != nil
		return err
	}}
	return got
}

// snapshot reads all suspects.
func (c *collector) snapshot(ctx context.Context) collected {
	got := collected{records: c.records(ctx)}
	c.lookedAt, c.recovered = time.Now(), false
	got.reading = &reading{complete: true, at: c.lookedAt, each: func(show func(flow.Socket)) error {
		began, elsewhere := time.Now(), time.Duration(0)
		err := c.kernel.Snapshot(func(s flow.Socket) {
			shown := time.Now()
			show(s)
			elsewhere += time.Since(shown)
		})
		c.meter.Scan("snapshot", time.Since(began)-elsewhere)
		c.saw(err)
		c.unread = err != nil
		return err
	}}
	return got
}

// scan makes a file scan.
func (c *collector) scan() collected {
	var listeners []flow.Listener
	var err error
	began := time.Now()
	worked := c.scans.Run(func() { listeners, err = c.kernel.ScanFiles() })
	c.meter.Scan("sockets", time.Since(began))
	c.scannedAt = began
	if slowed, ok := c.pace.Took(worked, c.scans.Share()); ok {
		c.log.Warn("passes over all sockets are held to their share of a core", "took", worked, "every", slowed, "share", c.scans.Share())
	}
	c.saw(err)
	if err != nil {
		return collected{}
	}
	c.listening.Set(listeners)
	return collected{scanned: began}
}

// mayScan reports whether the budget allows a file scan.
func (c *collector) mayScan() bool { return c.scans.Allows(time.Now()) }

// scanIsDue reports whether it is time for a regular file scan, at the tick that
// is nearest to that time.
func (c *collector) scanIsDue() bool {
	now := time.Now()
	return now.Sub(c.scannedAt) >= c.pace.Every()-tick/2 && c.scans.Allows(now)
}

// readSigns reads what the kernel side has counted. It reports whether that lost
// records since the last call.
func (c *collector) readSigns() (lost bool) {
	now, err := c.kernel.Signs()
	if err != nil {
		c.saw(err)
		return false
	}
	before := c.signs
	c.signs = now
	if now.Unwatched > before.Unwatched {
		c.unwatched = time.Now()
	}
	c.recovered = c.recovered || now.Recovered > before.Recovered
	return now.Lost > before.Lost
}

// looks is the shortest time between two looks that the budget does not pay for.
const looks = 4 * time.Second

// lookIsDue reports whether a look may show something new, and the last look was long
// ago. A file scan may have found owners and ends. Only a look shows the recovery of a
// silent flow, and of any flow if the kernel does not signal recoveries.
func (c *collector) lookIsDue(scanned, silent bool) bool {
	if !scanned && !silent && !c.recovered && c.signs.Signalled {
		return false
	}
	return time.Since(c.lookedAt) >= looks
}

func (c *collector) saw(err error) {
	if err != nil && c.err == nil {
		c.log.Error("the kernel side cannot be read", "error", err)
	}
	c.err = err
	if err == nil {
		c.at = time.Now()
	}
}
