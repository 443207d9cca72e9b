package inspector

import (
	"context"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// sweep makes a pass over all sockets of all processes.
func (i *Inspector) sweep() {
	i.tellGone()
	var listeners []flow.Listener
	var err error
	began := time.Now()
	worked := cpuTimeOf(func() { listeners, err = i.o.Kernel.Sweep() })
	i.sweeps.spend(worked, time.Now())
	i.o.Meter.Sweep("sockets", time.Since(began))
	i.sweptAt = began
	if slowed, ok := i.pace.took(worked, i.o.SweepCPU); ok {
		i.o.Log.Warn("passes over all sockets are held to their share of a core", "took", worked, "every", slowed, "share", i.o.SweepCPU)
	}
	i.sawKernel(err)
	if err == nil {
		i.o.Listening.Set(listeners)
	}
	clear(i.sought)
	if len(i.files) > 0 {
		i.learnPlaces()
	}
}

// snapshot reads all suspects and returns those that were not known. A read
// that failed is no snapshot: what it lacks means nothing. The records that
// wait come first: a busy machine may take seconds between two looks at them,
// and an end that is known is no absence.
func (i *Inspector) snapshot(ctx context.Context) []flow.ID {
	var suspects []flow.ID
	i.drain(ctx, &suspects)
	began := time.Now()
	sockets, err := i.o.Kernel.Snapshot()
	took := time.Since(began)
	i.o.Meter.Sweep("snapshot", took)
	i.sawKernel(err)
	if err != nil {
		for _, s := range sockets {
			i.apply(ctx, i.monitor.Observe(s), &suspects)
		}
		return suspects
	}
	i.apply(ctx, i.monitor.Snapshot(sockets, began), &suspects)
	return suspects
}

// fewNamed is how many suspects are worth being named: to read more of them,
// a snapshot is as cheap.
const fewNamed = 1000

// lookAt reads these suspects and whatever is new, and returns those that were
// not known.
func (i *Inspector) lookAt(ctx context.Context, ids []flow.ID) []flow.ID {
	if len(ids) > fewNamed {
		return i.snapshot(ctx)
	}
	var suspects []flow.ID
	i.drain(ctx, &suspects)
	began := time.Now()
	sockets, err := i.o.Kernel.News(ids)
	i.sawKernel(err)
	if err != nil {
		ids = nil // what it lacks means nothing
	}
	i.apply(ctx, i.monitor.Reread(ids, sockets, began), &suspects)
	return suspects
}

// readAgain reads what is new and the known flows, one part after the other.
func (i *Inspector) readAgain(ctx context.Context) (found []flow.ID) {
	worked := cpuTimeOf(func() { found = i.lookAt(ctx, i.monitor.Stalest(rereads)) })
	i.readings.spend(worked, time.Now())
	return found
}

func (i *Inspector) sawKernel(err error) {
	if err != nil && i.kernelErr == nil {
		i.o.Log.Error("the kernel side cannot be read", "error", err)
	}
	i.kernelErr = err
	if err == nil {
		i.kernelAt = time.Now()
	}
}
