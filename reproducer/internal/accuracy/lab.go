package accuracy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/scenario"
)

// The agent's flags.
const (
	stuckAfter   = 3 * time.Second
	maxStaleness = 4 * time.Second
)

// lab is the place of a round: a cluster, its scenes, the agent on the first node.
type lab struct {
	opts   Options
	round  Round
	family cluster.Family
	dir    *rundir.Dir
	c      *cluster.Cluster
	log    *Log
	scenes []*scene
	agent  *scenario.Agent
	up     []Window
	unseen int // ends that agents counted as unseen
	say    func(string, ...any)
	books  string
}

func openLab(ctx context.Context, opts Options, r Round, say func(string, ...any)) (l *lab, err error) {
	const patience = 2 * time.Minute // a busy machine's
	ready, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l = &lab{opts: opts, round: r, family: r.Family, say: say}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.dir, err = rundir.New(opts.Base); err != nil {
		return l, err
	}
	l.books = filepath.Join(l.dir.Path, "labels.jsonl")
	if l.log, err = OpenLog(l.books); err != nil {
		return l, err
	}
	nodes := []string{"node-a", calm}
	for _, a := range r.Acts {
		nodes = append(nodes, nodeOf(a))
	}
	l.c, err = cluster.New(cluster.Config{Dir: l.dir.Path, Family: l.family, Echo: filepath.Join(opts.Bin, "echo"), Report: func(string, ...any) {}, Nodes: nodes})
	if err != nil {
		return l, err
	}
	kinds := map[string]Kind{}
	for _, k := range Kinds() {
		kinds[k.Name] = k
	}
	for _, a := range r.Acts {
		s := &scene{act: a, c: l.c, a: l.c.Nodes[0], rng: rand.New(rand.NewPCG(a.Seed, 1)), lab: l, risky: kinds[a.Kind].Risky}
		l.scenes = append(l.scenes, s)
		s.ctx = ready
		if err := kinds[a.Kind].play(s); err != nil {
			return l, fmt.Errorf("set up %s: %w", a.Name, err)
		}
		s.ctx = ctx
	}
	return l, l.startAgent(ctx)
}

func (l *lab) startAgent(ctx context.Context) (err error) {
	a := l.c.Nodes[0]
	l.agent, err = scenario.StartAgent(ctx, scenario.AgentConfig{
		Bin: l.opts.Bin, Dir: l.dir.Path, Node: a, Scope: l.c.Namespaces(a), StuckAfter: stuckAfter,
		Source: []string{"--cluster=file", "--cluster-state=" + l.c.StatePath(), "--cluster-max-staleness=" + maxStaleness.String()},
		Args:   []string{"--name=203.0.113.0/24=outside", "--name=2001:db8::/64=outside", "--clients=203.0.113.0/24", "--clients=2001:db8::/64"},
	})
	l.up = append(l.up, Window{From: time.Now()})
	return err
}

// play makes everything happen at its time, and waits until the agent can have seen it.
func (l *lab) play(ctx context.Context) error {
	steps := l.turn(ctx)
	for _, s := range l.scenes {
		steps = append(steps, s.steps...)
	}
	began := time.Now()
	for len(steps) > 0 {
		slices.SortStableFunc(steps, func(a, b step) int { return int(a.at - b.at) })
		st := steps[0]
		steps = steps[1:]
		if !pause(ctx, time.Until(began.Add(st.at))) {
			return ctx.Err()
		}
		if err := st.do(); err != nil {
			return fmt.Errorf("%s: %w", st.what, err)
		}
		l.say("%5.1f s  %s", time.Since(began).Seconds(), st.what)
		// A late step, on a busy machine, delays the steps that follow from it.
		late := time.Since(began) - st.at
		for i := range steps {
			if st.of != nil && steps[i].of == st.of {
				steps[i].at += late
			}
		}
	}
	if !pause(ctx, l.round.Watch) {
		return ctx.Err()
	}
	return nil
}

// turn are the steps that concern the agent itself.
func (l *lab) turn(ctx context.Context) []step {
	restart := func(end func() error) []step {
		return []step{{at: turnAt, what: "the agent is started again", do: func() error {
			if _, err := l.admits(); err != nil { // its counters end with it
				return err
			}
			l.up[len(l.up)-1].To = time.Now()
			if err := end(); err != nil {
				return err
			}
			if err := l.startAgent(ctx); err != nil {
				return err
			}
			return l.forgotten()
		}}}
	}
	switch l.round.Turn {
	case Restart:
		return restart(func() error { return l.agent.Stop(5 * time.Second) })
	case Kill:
		return restart(func() error { return l.agent.Kill() })
	case Outage:
		return []step{
			{at: muteAt, what: "the records cannot be read", do: func() error {
				l.withhold(Window{From: time.Now(), Why: "the cluster's records cannot be read"})
				return errors.Join(l.writeAll(), l.c.MuteState())
			}},
			{at: unmute, what: "the records can be read again", do: func() error {
				now := time.Now()
				l.closeWindows(now)
				return errors.Join(l.c.UnmuteState(), l.writeAll())
			}},
		}
	case Steady:
	}
	return nil
}

// admits asks the agent that is to end how much it says that it lost.
func (l *lab) admits() (scenario.Metrics, error) {
	all, err := l.agent.Scrape()
	l.unseen += unseen(all)
	return all, err
}

// forgotten withholds, from an agent that has just started, what happened to pods before
// its start.
func (l *lab) forgotten() error {
	w := Window{From: l.up[len(l.up)-2].To, Why: "the pod was deleted before this agent was started"}
	l.each(func(label *Label) {
		if !label.Control() && gone(label.Final().Cause) {
			label.Withheld = append(slices.Clone(label.Withheld), w)
		}
	})
	return l.writeAll()
}

// withhold opens a window on every label.
func (l *lab) withhold(w Window) {
	l.each(func(label *Label) { label.Withheld = append(slices.Clone(label.Withheld), w) })
}

// closeWindows ends what withhold began.
func (l *lab) closeWindows(at time.Time) {
	l.each(func(label *Label) {
		label.Withheld = slices.Clone(label.Withheld)
		for i := range label.Withheld {
			if label.Withheld[i].To.IsZero() {
				label.Withheld[i].To = at
			}
		}
	})
}

// each changes every label, and those of connections still to come.
func (l *lab) each(change func(*Label)) {
	for _, s := range l.scenes {
		for _, p := range s.took {
			change(&p.now)
			for _, label := range p.labels {
				change(label)
			}
		}
	}
}

// writeAll brings the labels of every scene up to date.
func (l *lab) writeAll() error {
	for _, s := range l.scenes {
		if err := l.writeLabels(s); err != nil {
			return err
		}
	}
	return nil
}

// writeLabels labels the scene's connections that have none yet, and writes
// all of them to the disk.
func (l *lab) writeLabels(s *scene) error {
	var all []Label
	for i, p := range s.took {
		for _, r := range p.echo.Records() {
			end, ok := p.connection(r)
			if !ok || p.labels[end] != nil {
				continue
			}
			label := p.now
			label.Flow = fmt.Sprintf("%d/%s/%d.%d", l.round.Number, s.act.Name, i+1, len(p.labels)+1)
			label.Kind, label.Role, label.Family = s.act.Kind, p.role, string(p.family)
			label.Local, label.Remote = end.local, end.remote
			p.labels[end] = &label
		}
		for _, label := range p.labels {
			all = append(all, *label)
		}
	}
	slices.SortFunc(all, func(a, b Label) int { return a.Local.Compare(b.Local) })
	return l.log.Write(all)
}

// connection returns the connection that a record begins.
func (p *party) connection(r record.Record) (pair, bool) {
	switch {
	case p.role == flow.Server && r.Kind == record.Accepted,
		p.role == flow.Client && (r.Kind == record.Connected || r.Kind == record.Dialling):
		return pair{netip.AddrPortFrom(r.Local.Addr().Unmap(), r.Local.Port()), r.Remote}, true
	}
	return pair{}, false
}

// account asks all applications for the state of their connections, and returns
// what they know of each label's connection.
func (l *lab) account(ctx context.Context) (map[string]*Truth, error) {
	if err := l.writeAll(); err != nil {
		return nil, err
	}
	all := map[string]*Truth{}
	for _, s := range l.scenes {
		for _, p := range s.took {
			if p.role != flow.Client {
				continue
			}
			if err := p.stand(ctx); err != nil {
				return nil, err
			}
			var arrived map[netip.AddrPort]int64
			if p.peer != nil {
				arrived = arrivals(p.peer.Records())
			}
			known := truths(p.echo.Records(), arrived)
			for end, label := range p.labels {
				if t, ok := known[end.local]; ok {
					all[label.Flow] = &t
				}
			}
		}
	}
	return all, nil
}

// stand has a crowd report the state of its connections.
func (p *party) stand(ctx context.Context) error {
	select {
	case <-p.echo.Done():
		return nil
	default:
	}
	if !p.standing {
		return nil
	}
	if err := p.echo.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := p.echo.AwaitKind(waiting, 1, record.Ready)
	return err
}

// Close ends everything, the agent first: what happens to connections during the
// shutdown is not judged.
func (l *lab) Close() (err error) {
	if l.agent != nil {
		err = l.agent.Stop(5 * time.Second)
	}
	if l.log != nil {
		err = errors.Join(err, l.log.Close())
	}
	if l.c != nil {
		err = errors.Join(err, l.c.Close())
	}
	if l.dir != nil {
		err = errors.Join(err, l.dir.Remove())
	}
	return err
}

// pause waits; it returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
