package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
)

// Lab is the place of all faults: a cluster whose node-a has thousands of hanging
// connections and some healthy ones, and the agent there.
type Lab struct {
	bin string
	out io.Writer

	dir *rundir.Dir
	stage
	truth  *truth
	held   []*conn // of storms
	storms int
	began  time.Time // before the first connection hung

	calmDump time.Duration // the time of `tcpstuck dump` without trouble

	agent  *agent // the one that runs the whole time
	agents []*agent
	ports  map[string]int
}

// stage is the cluster that faults are played on.
type stage struct {
	cluster *cluster.Cluster
	client  *cluster.Pod // on node-a; every connection begins here
	doomed  *cluster.Pod // on node-a; another that has connections
	echo    *cluster.Service
	server  *cluster.Pod // of echo
	healthy *healthy
}

// open builds the lab. On an error the caller closes it.
func open(ctx context.Context, o Options) (*Lab, error) {
	l := &Lab{bin: o.Bin, out: o.Out, truth: newTruth(), ports: map[string]int{}, began: time.Now()}
	if _, err := rundir.Clean(o.Base); err != nil {
		return l, err
	}
	var err error
	if l.dir, err = rundir.New(o.Base); err != nil {
		return l, err
	}
	l.cluster, err = cluster.New(cluster.Config{
		Dir: l.dir.Path, Family: cluster.IPv4, Echo: o.Bin + "/echo", Report: func(string, ...any) {},
	})
	if err != nil {
		return l, err
	}
	if err := l.startPods(ctx); err != nil {
		return l, err
	}
	if l.agent, err = l.startReady(ctx, agentSpec{name: "agent"}); err != nil {
		return l, err
	}
	if _, err := l.storm(ctx, o.Storm); err != nil {
		return l, err
	}
	if err := l.truth.found(ctx, l.agent); err != nil {
		return l, err
	}
	l.calmDump, err = l.dump(ctx)
	return l, err
}

func (l *Lab) startPods(ctx context.Context) error {
	var err error
	if l.echo, err = l.cluster.AddService("echo", "echo", false); err != nil {
		return err
	}
	if l.server, err = l.startServer(ctx, "echo", "node-a"); err != nil {
		return err
	}
	for name, pod := range map[string]**cluster.Pod{"client": &l.client, "doomed": &l.doomed} {
		spec := cluster.PodSpec{Workload: name, Node: "node-a", Args: []string{"client", "--idle", "--server", l.server.Address()}}
		if *pod, err = l.cluster.StartPod(ctx, spec); err != nil {
			return err
		}
		if err := (*pod).NS.Do(hurry); err != nil {
			return err
		}
	}
	l.healthy, err = startHealthy(l.client.NS, netip.AddrPortFrom(l.echo.ClusterIP, cluster.Port))
	return err
}

// startServer starts a server that echoes.
func (l *Lab) startServer(ctx context.Context, workload, node string) (*cluster.Pod, error) {
	return l.cluster.StartPod(ctx, cluster.PodSpec{Workload: workload, Node: node, Args: []string{"server", "--catch-sigterm"}})
}

// hurry makes every connection of the calling thread's namespace retransmit once
// a second. The kernel never aborts one while its owner has it.
func hurry() error {
	for _, s := range [][2]string{
		{"ipv4/tcp_rto_max_ms", "1000"}, // from Linux 6.15 on
		{"ipv4/tcp_retries2", "255"},
		{"ipv4/tcp_orphan_retries", "3"},
	} {
		if err := namespace.Sysctl(s[0], s[1]); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// storm opens connections to a Service, force-deletes the pod behind it, and writes on each
// of them, so that all hang.
func (l *Lab) storm(ctx context.Context, n int) ([]*conn, error) {
	conns, err := l.calm(ctx, l.client.NS, n)
	if err != nil {
		return nil, err
	}
	return conns, l.hang(conns)
}

// calm opens connections whose server is gone, and writes nothing on them yet.
// The readers know the server before it goes.
func (l *Lab) calm(ctx context.Context, from *namespace.Namespace, n int, readers ...*agent) ([]*conn, error) {
	conns, server, err := l.connect(ctx, from, n)
	if err != nil {
		return nil, err
	}
	for _, a := range readers {
		if err := l.awaitRead(ctx, a); err != nil {
			return nil, err
		}
	}
	l.truth.because(flow.StaleConntrack, conns...)
	_, err = l.cluster.ForceDelete(server)
	return conns, err
}

// awaitRead waits until an agent has read the records as they are now. It never
// knows a pod that comes and goes between two readings.
func (l *Lab) awaitRead(ctx context.Context, a *agent) error {
	written, err := os.Stat(l.cluster.StatePath())
	if err != nil {
		return fmt.Errorf("look at the records: %w", err)
	}
	_, err = a.awaitSource(ctx, flow.SourceCluster, func(h flow.Health) bool { return !h.LastSync.Before(written.ModTime()) })
	if err != nil {
		return fmt.Errorf("agent %s does not read the records: %w", a.spec.name, err)
	}
	return nil
}

// awaitSource waits until the health of a source is as wanted, and returns how
// long that took.
func (a *agent) awaitSource(ctx context.Context, source flow.Source, wanted func(flow.Health) bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	began := time.Now()
	err := await(ctx, func() (bool, error) {
		status, err := a.api.Status(ctx)
		if err != nil {
			return false, err
		}
		return slices.ContainsFunc(status.Sources, func(h flow.Health) bool { return h.Source == source && wanted(h) }), nil
	})
	return time.Since(began), err
}

// connect opens connections to a Service with one server.
func (l *Lab) connect(ctx context.Context, from *namespace.Namespace, n int) ([]*conn, *cluster.Pod, error) {
	l.storms++
	name := fmt.Sprintf("victim-%d", l.storms)
	service, err := l.cluster.AddService(name, name, false)
	if err != nil {
		return nil, nil, err
	}
	server, err := l.startServer(ctx, name, "node-b")
	if err != nil {
		return nil, nil, err
	}
	conns, err := dial(from, netip.AddrPortFrom(service.ClusterIP, cluster.Port), n)
	if err != nil {
		return nil, nil, err
	}
	l.held = append(l.held, conns...)
	l.truth.risk(conns...)
	return conns, server, nil
}

func (l *Lab) hang(conns []*conn) error {
	for _, c := range conns {
		if err := c.write(); err != nil {
			return fmt.Errorf("write into nothing: %w", err)
		}
	}
	l.truth.hang(conns...)
	return nil
}

// calmDown ends hanging connections.
func (l *Lab) calmDown(conns []*conn) {
	l.truth.over(conns...)
	l.drop(conns)
	closeAll(conns)
}

// drop leaves it to the caller to close connections.
func (l *Lab) drop(conns []*conn) {
	gone := map[*conn]bool{}
	for _, c := range conns {
		gone[c] = true
	}
	kept := l.held[:0]
	for _, c := range l.held {
		if !gone[c] {
			kept = append(kept, c)
		}
	}
	l.held = kept
}

// settle compares the agent that runs all the time, and every event of any
// agent, with the truth after each fault.
func (l *Lab) settle(ctx context.Context, o *Outcome) {
	if err := l.truth.found(ctx, l.agent); err != nil {
		o.lose("%v", err)
	}
	read := map[string]bool{} // a restarted agent continues in the same file
	for _, a := range l.agents {
		if read[a.events] {
			continue
		}
		read[a.events] = true
		if err := l.honest(a); err != nil {
			o.lose("%v", err)
		}
	}
	l.agents = []*agent{l.agent}
}

// findings returns an agent's live findings by id.
func findings(ctx context.Context, a *agent) (map[flow.ID]flow.Finding, error) {
	list, err := a.flows(ctx)
	if err != nil {
		return nil, err
	}
	byID := map[flow.ID]flow.Finding{}
	for _, f := range list {
		byID[f.ID] = f
	}
	return byID, nil
}

// port returns the port of node-a's loopback for a name.
func (l *Lab) port(name string) int {
	if _, ok := l.ports[name]; !ok {
		l.ports[name] = 9797 + len(l.ports)
	}
	return l.ports[name]
}

// close ends everything and removes every trace.
func (l *Lab) close() error {
	var err error
	for _, a := range l.agents {
		err = errors.Join(err, a.Kill())
	}
	if l.agent != nil {
		err = errors.Join(err, l.agent.Kill())
	}
	if l.healthy != nil {
		err = errors.Join(err, l.healthy.stop())
	}
	closeAll(l.held)
	if l.cluster != nil {
		err = errors.Join(err, l.cluster.Close())
	}
	if l.dir != nil {
		err = errors.Join(err, l.dir.Remove())
	}
	return err
}
