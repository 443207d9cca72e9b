package accuracy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// scene is one act in play: its pods, its connections and the truth about them.
type scene struct {
	act  Act
	ctx  context.Context
	c    *cluster.Cluster
	a    *cluster.Node // the agent's
	rng  *rand.Rand
	lab  *lab
	took []*party
	// risky: see the kind
	risky bool
	// recorded is when the records last said that a server's pod is gone; its route
	// is cut only then.
	recorded time.Time

	steps []step
}

// party is a program of the scene whose sockets the agent sees.
type party struct {
	pod      *cluster.Pod // nil: it is not in a pod of its own
	addr     netip.Addr   // the address of its sockets
	echo     *cluster.Echo
	role     flow.Role
	family   cluster.Family
	standing bool          // it reports the state of its connections
	peer     *cluster.Echo // counts what arrives; nil: no server does
	// truth holds for its connections now, and for those it makes later.
	now Label
	// labels are those of its connections so far.
	labels map[pair]*Label
}

// step is an action at a time of the round.
type step struct {
	at   time.Duration
	what string
	do   func() error
	of   *scene // nil: the round's own
}

// at adds a step, so long after the act begins.
func (s *scene) at(after time.Duration, what string, do func() error) {
	s.steps = append(s.steps, step{s.act.At + after, s.act.Name + ": " + what, do, s})
}

// calm is the node without faults.
const calm = "node-b"

// node is this act's own node, which may break without harm to other acts.
func (s *scene) node() string { return nodeOf(s.act) }

func nodeOf(a Act) string { return fmt.Sprintf("node-%d", a.Number) }

// service makes a Service in front of the scene's servers.
func (s *scene) service() (*cluster.Service, error) {
	return s.c.AddService(s.act.Name, s.act.Name, false)
}

// server starts a server of the scene.
func (s *scene) server(node string, args ...string) (*cluster.Pod, error) {
	return s.serverPod(cluster.PodSpec{Node: node, Args: append([]string{"server", "--catch-sigterm"}, args...)})
}

func (s *scene) serverPod(spec cluster.PodSpec) (*cluster.Pod, error) {
	if spec.Workload == "" {
		spec.Workload = s.act.Name
	}
	p, err := s.c.StartPod(s.ctx, spec)
	if err == nil && p.Node == s.a {
		s.watch(&party{pod: p, addr: p.Addr, echo: p.Echo, role: flow.Server, family: s.lab.family})
	}
	return p, err
}

func (s *scene) watch(p *party) *party {
	p.labels = map[pair]*Label{}
	p.now.Risky = s.risky
	s.took = append(s.took, p)
	return p
}

// behind starts a server on a node, a Service in front of it, and the crowd.
func (s *scene) behind(node string, server []string, crowd ...string) (*cluster.Pod, *cluster.Service, error) {
	svc, err := s.service()
	if err != nil {
		return nil, nil, err
	}
	p, err := s.server(node, server...)
	if err != nil {
		return nil, nil, err
	}
	return p, svc, s.crowd(p, svc.Address(), crowd...)
}

// crowd starts the act's clients on the agent's node.
func (s *scene) crowd(server *cluster.Pod, address string, args ...string) error {
	return s.crowdIn(cluster.PodSpec{Node: s.a.Name, Workload: s.act.Name + "-client"}, server, address, args...)
}

// crowdIn starts them in pods of another kind.
func (s *scene) crowdIn(spec cluster.PodSpec, server *cluster.Pod, address string, args ...string) error {
	left := s.act.Flows
	for n := range s.act.Clients {
		share := left / (s.act.Clients - n)
		left -= share
		if share == 0 {
			continue
		}
		spec.Family, spec.Source = s.lab.family, true
		if spec.Family == cluster.IPv4 && s.rng.IntN(2) == 0 {
			spec.Family = cluster.Mapped
		}
		interval := 300 + s.rng.IntN(700)
		spec.Args = append([]string{
			"crowd", "--server", address, "--connections", strconv.Itoa(share), "--interval", fmt.Sprintf("%dms", interval),
		}, args...)
		p, err := s.c.StartPod(s.ctx, spec)
		if err != nil {
			return err
		}
		party := s.watch(&party{pod: p, addr: p.Addr, echo: p.Echo, role: flow.Client, family: spec.Family, standing: true})
		if server != nil {
			party.peer = server.Echo
		}
		if _, err := p.Echo.AwaitKind(s.ctx, share, record.Connected); err != nil {
			return err
		}
	}
	return nil
}

// hasten makes the kernel abort the clients' connections after so many retransmissions or
// probes.
func (s *scene) hasten(retries int) error {
	for _, p := range s.clients() {
		err := p.pod.NS.Do(func() error { return namespace.Sysctl("ipv4/tcp_retries2", strconv.Itoa(retries)) })
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitClosed waits until the windows of all the clients' connections are closed and
// nothing is in flight.
func (s *scene) awaitClosed() error {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		open := 0
		for _, p := range s.clients() {
			all, err := p.pod.SocketsAt(p.addr)
			if err != nil {
				return err
			}
			for _, k := range all {
				if k.PeerWindow > 0 || k.Unacknowledged > k.Unsent {
					open++
				}
			}
		}
		if open == 0 {
			return nil
		}
		if !pause(s.ctx, 50*time.Millisecond) {
			return s.ctx.Err()
		}
	}
	return errors.New("the windows do not close")
}

// clients are the crowds of the scene.
func (s *scene) clients() []*party {
	return s.those(func(p *party) bool { return p.role == flow.Client })
}

func (s *scene) those(match func(*party) bool) []*party {
	var some []*party
	for _, p := range s.took {
		if match(p) {
			some = append(some, p)
		}
	}
	return some
}

// between calls do while no request of the scene is in flight.
func (s *scene) between(do func() error) error {
	for _, p := range s.clients() {
		n := 1 + count(p.echo.Records(), record.Paused)
		if err := p.echo.Signal(syscall.SIGUSR1); err != nil {
			return err
		}
		if _, err := p.echo.AwaitKind(s.ctx, n, record.Paused); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if !pause(s.ctx, 200*time.Millisecond) { // the application has read an end by then
		return s.ctx.Err()
	}
	return s.resume()
}

func (s *scene) resume() error {
	for _, p := range s.clients() {
		if err := p.echo.Signal(syscall.SIGUSR2); err != nil {
			return err
		}
	}
	return nil
}

// perhapsBetween calls do at any moment, or as between does.
func (s *scene) perhapsBetween(do func() error) error {
	if s.rng.IntN(2) == 0 {
		return do()
	}
	return s.between(do)
}

func count(records []record.Record, kind record.Kind) (n int) {
	for _, r := range records {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// truth is a verdict that is true for the clients' connections from a time on.
func (s *scene) truth(since time.Time, symptom flow.Symptom, cause flow.Cause, more ...func(*Label)) error {
	return s.truthOf(s.clients(), Verdict{Since: since, Symptom: symptom, Cause: cause}, more...)
}

func (s *scene) truthOf(some []*party, v Verdict, more ...func(*Label)) error {
	if gone(v.Cause) && s.recorded.Before(v.Since) {
		v.Recorded = s.recorded
	}
	for _, p := range some {
		p.relabel(func(l *Label) {
			l.Verdicts = append(slices.Clone(l.Verdicts), v)
			for _, change := range more {
				change(l)
			}
		})
	}
	return s.lab.writeLabels(s)
}

// add adds a further truth about all connections.
func (s *scene) add(more func(*Label)) error {
	for _, p := range s.clients() {
		p.relabel(more)
	}
	return s.lab.writeLabels(s)
}

// relabel changes the labels of present and future connections.
func (p *party) relabel(change func(*Label)) {
	change(&p.now)
	for _, l := range p.labels {
		change(l)
	}
}

// onlyLater makes the truth hold only for connections that are made from now on.
func (s *scene) onlyLater(v Verdict, more ...func(*Label)) error {
	if err := s.lab.writeLabels(s); err != nil { // the present ones
		return err
	}
	for _, p := range s.clients() {
		p.now.Verdicts = []Verdict{v}
		for _, change := range more {
			change(&p.now)
		}
	}
	return nil
}

// Further truths of a label.
func ends(o flow.Outcome) func(*Label) { return func(l *Label) { l.Ends = o } }
func never(l *Label)                   { l.Never = true }

// shaken: for a next hop that does not answer, the node sends an ICMP host
// unreachable over IPv4, and the kernel then takes a back-off back (RFC 6069).
// Nothing on the socket shows beforehand which retransmission that will be. IPv6
// and other codes have no such effect.
func (s *scene) shaken() func(*Label) {
	return func(l *Label) { l.Shaken = s.lab.family == cluster.IPv4 }
}
