package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/conntrack"
	"github.com/tcpstuck/tcpstuck/pkg/drops"
	"github.com/tcpstuck/tcpstuck/pkg/events"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
	"github.com/tcpstuck/tcpstuck/pkg/inspector"
	"github.com/tcpstuck/tcpstuck/pkg/ledger"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
	"github.com/tcpstuck/tcpstuck/pkg/route"
	"github.com/tcpstuck/tcpstuck/pkg/tracer"
)

const (
	keepEnded       = 1000            // ended findings that dump --ended can show
	eventQueue      = 10_000          // events that wait for a slow event file
	kubernetesQueue = 1000            // events that wait for a slow API
	flushEvents     = 3 * time.Second // how long the sinks may take at shutdown
)

// run wires the agent and works until the context ends.
func run(ctx context.Context, c config) error {
	if err := exporter.CheckConfig(c.webConfig); err != nil {
		return fmt.Errorf("--web.config.file: %w", err)
	}
	kernel, err := tracer.Open(tracer.Options{Scope: c.scope, RingBytes: c.ringBytes, Log: c.log})
	if err != nil {
		return err
	}
	defer kernel.Close()
	sinks, err := openSinks(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	open, err := listen(ctx, c)
	if err == nil {
		defer open.close()
		err = start(ctx, group, c, kernel, sinks, open)
	}
	if err != nil {
		cancel()
	}
	if errors.Is(err, context.Canceled) {
		err = nil // it was to end while it started, or Wait says why
	}
	err = errors.Join(err, group.Wait())
	flush, done := context.WithTimeout(context.Background(), flushEvents)
	defer done()
	if lost := sinks.Close(flush); lost != nil {
		c.log.Warn("events are lost", "error", lost) // the sink had no time to write them
	}
	return err
}

// start opens the sources and starts everything that runs.
func start(ctx context.Context, group *errgroup.Group, c config, kernel *tracer.Tracer, sinks *events.Fanout, open listeners) error {
	state := cluster.New(cluster.Options{MaxStaleness: c.maxStaleness, Names: c.names, Clients: c.clients, Node: c.nodeName})
	source, err := startCluster(ctx, group, c, state)
	if err != nil {
		return err
	}
	if source != nil && c.kubernetesEvents {
		sinks.Add("kubernetes", events.NewKubernetes(ctx, source.Events(), c.log), kubernetesQueue)
	}
	routes, err := route.Open()
	if err != nil {
		return err
	}
	bootID := readBootID()
	owners, host, listening := owner.New("/proc"), ownNetNS(), evidence.NewListening()
	places := owner.NewPlaces(kernel.Residents, owners.Lookup, host)
	held := ledger.New(ledger.Options{
		Node: c.nodeName, BootID: bootID, StuckAfter: c.stuckAfter, MaxFlows: c.maxFlows, KeepEnded: keepEnded, HostNetNS: host,
	}, time.Now())
	auditor := &inspector.Auditor{
		Connections: kernel, Listening: listening, Node: c.nodeName,
		Names: evidence.Names{Cluster: state, Owners: owners, Places: places, HostNetNS: host},
	}
	var looked atomic.Bool
	ready := func() error {
		if !looked.Load() {
			return errors.New("the first look at all sockets is not done yet")
		}
		return nil
	}
	serveFlows(ctx, group, open, api.Options{
		Reader: held.View(), Version: version, BootID: bootID, Node: c.nodeName, Started: time.Now(), Audit: auditor.Audit, Ready: ready, Log: c.log,
	})
	metrics := exporter.New(exporter.Options{
		Reader: held.View(), Kernel: kernel, Dropped: sinks.Dropped, MaxSeries: c.maxSeries,
		Features: features(kernel, c), Version: version, Log: c.log,
	})
	sinks.AddDirect(metrics)
	o := inspector.Options{
		Node: c.nodeName, BootID: bootID, Ledger: held, Kernel: kernel, Cluster: state, Routes: routes, Owners: owners, Places: places, Listening: listening,
		Sinks: []inspector.Sink{sinks}, Meter: metrics, HostNetNS: host, StuckAfter: c.stuckAfter, ScanCPU: c.scanCPU, Log: c.log,
	}
	if source != nil {
		o.Peers = kernel
	}
	if open.retry != nil {
		o.Beside = open.retry.Health
	}
	if table, err := conntrack.Open(); err == nil {
		o.Conntrack = table
	} else {
		o.ConntrackDown = err.Error()
	}
	if watcher, err := drops.Open(c.scope); err == nil {
		o.Drops = watcher
		context.AfterFunc(ctx, func() { _ = watcher.Close() })
	} else {
		c.log.Info("drops are not watched", "reason", err)
	}
	kept, err := c.settle(kernel.Probe)
	if err != nil {
		return err
	}
	followHeap(ctx)
	time.AfterFunc(startLasts, debug.FreeOSMemory)
	own, err := ownConstants()
	if err != nil {
		c.log.Debug("constants stay in memory", "error", err)
	}
	calmAfterCollections(ctx, always(quiet), func() { dismiss(own) })
	heap := &giver{}
	calmAfterCollections(ctx, heap.wait, heap.giveBack)
	group.Go(func() error { return kernel.Run(ctx) })
	group.Go(func() error { return inspector.New(o).Run(ctx, func() { looked.Store(true) }) })
	group.Go(func() error {
		return exporter.Serve(ctx, exporter.ServeOptions{Config: c.webConfig, Listeners: open.metrics, Metrics: metrics.Handler(), Ready: ready, Log: c.log})
	})
	c.log.Info("watching", "node", c.nodeName, "stuck_after", c.stuckAfter, "socket", c.socket, "capabilities", kept, "version", version)
	return nil
}

// features are what this kernel offers and what the agent's flags say.
func features(kernel *tracer.Tracer, c config) map[string]bool {
	all := kernel.Features()
	all["scoped"] = len(c.scope) > 0
	return all
}

func openSinks(c config) (*events.Fanout, error) {
	sinks := events.NewFanout(c.log)
	if c.eventsFile == "" {
		return sinks, nil
	}
	file, err := events.NewFile(c.eventsFile)
	if err != nil {
		return nil, fmt.Errorf("--events-file: %w", err)
	}
	sinks.Add("file", file, eventQueue)
	return sinks, nil
}

func readBootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "" // a finding then carries null
	}
	return strings.TrimSpace(string(b))
}

// ownNetNS returns the inode number of the agent's network namespace, 0 if /proc
// does not show it.
func ownNetNS() uint32 {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &st); err != nil {
		return 0
	}
	return uint32(st.Ino)
}
