package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// The blocks of Services: those of the storm, and of flows that stick alone.
const (
	stormBlock  = 1
	idleBlock   = 2 // its backend goes while its flows are idle
	goneBlock   = 3 // each flow's own backend goes just after a write
	silentBlock = 4 // its backend stays listed
)

func stormBackend(n int) backend { return backend{stormBlock, n + 1} }

// world is what the agent watches: the network, the cluster's records, and the
// processes that hold sockets.
type world struct {
	size    size
	net     *network
	cluster *cluster
	gone    map[backend]bool

	connectors, acceptors []*child
}

// newWorld makes a world without connections. The caller closes it, even after
// an error.
func newWorld(s size, dir string) (w *world, err error) {
	w = &world{size: s, gone: map[backend]bool{}, cluster: &cluster{path: filepath.Join(dir, "state.json")}}
	if w.net, err = newNetwork(); err != nil {
		return w, err
	}
	for n := range s.backends {
		w.cluster.present = append(w.cluster.present, stormBackend(n))
	}
	w.cluster.present = append(w.cluster.present, backend{idleBlock, 1}, backend{silentBlock, 1})
	for n := range s.singles {
		w.cluster.present = append(w.cluster.present, backend{goneBlock, n + 1})
	}
	if err := w.cluster.write(nil); err != nil {
		return w, err
	}
	for n := range s.processes {
		if err := w.startProcesses(n); err != nil {
			return w, err
		}
	}
	return w, nil
}

// newRoad makes a world for traffic, in which nothing hangs and nothing is
// translated. The caller closes it, even after an error.
func newRoad(dir string) (w *world, err error) {
	w = &world{cluster: &cluster{path: filepath.Join(dir, "state.json")}}
	if w.net, err = newLink(); err != nil {
		return w, err
	}
	return w, w.cluster.write(nil)
}

// startProcesses starts the nth pair of processes.
func (w *world) startProcesses(n int) error {
	a, err := newChild(w.net.backends, "acceptor")
	if err != nil {
		return err
	}
	w.acceptors = append(w.acceptors, a)
	for _, listen := range w.listens(n) {
		if _, err := a.tell("%s", listen); err != nil {
			return err
		}
	}
	c, err := newChild(w.net.node, "connector")
	if err != nil {
		return err
	}
	w.connectors = append(w.connectors, c)
	return nil
}

// listens returns where the nth acceptor listens: a single one everywhere, one of
// several at the addresses of its own backends.
func (w *world) listens(n int) []string {
	if w.size.processes == 1 {
		return []string{fmt.Sprintf("hold :%d", port), fmt.Sprintf("drain :%d", sinkPort)}
	}
	var all []string
	for b := n; b < w.size.backends; b += w.size.processes {
		all = append(all, fmt.Sprintf("hold %s:%d", stormBackend(b).address(), port))
	}
	return all
}

// close ends the processes and gives the network up.
func (w *world) close() error {
	var errs []error
	for _, c := range append(w.connectors, w.acceptors...) {
		errs = append(errs, c.end())
	}
	if w.net != nil {
		w.net.close()
	}
	return errors.Join(errs...)
}

// open opens the connections of the storm, and those that stick alone.
func (w *world) open() error {
	perBackend := w.size.sockets / 2 / w.size.backends
	for n := range w.size.backends {
		if err := w.connect("storm", perBackend, n, stormBackend(n)); err != nil {
			return err
		}
	}
	for group, block := range map[string]int{"idle": idleBlock, "silent": silentBlock} {
		if err := w.connect(group, w.size.singles, 0, backend{block, 1}); err != nil {
			return err
		}
	}
	for n := range w.size.singles {
		if err := w.connect("gone", 1, 0, backend{goneBlock, n + 1}); err != nil {
			return err
		}
	}
	return nil
}

// connect has the processes of the nth backend open connections to a Service,
// and waits until its backend has them.
func (w *world) connect(group string, count, n int, to backend) error {
	if count == 0 {
		return nil
	}
	connector, acceptor := w.connectors[n%w.size.processes], w.acceptors[n%w.size.processes]
	if _, err := connector.tell("open %s %d %s:%d", group, count, to.service(), port); err != nil {
		return fmt.Errorf("open connections: %w", err)
	}
	for range 100 {
		answer, err := acceptor.tell("count %s", to.address())
		if err != nil {
			return err
		}
		if got, err := strconv.Atoi(answer); err == nil && got == count {
			return nil
		}
		_ = pause(context.Background(), 20*time.Millisecond)
	}
	return fmt.Errorf("%s did not get its %d connections", to.address(), count)
}

// cut cuts the path and makes every socket of the storm send something.
func (w *world) cut() error {
	if err := w.net.each(func() error { return lose(everything) }); err != nil {
		return err
	}
	for _, c := range w.connectors {
		if _, err := c.tell("write storm"); err != nil {
			return err
		}
	}
	for n := range w.size.backends {
		if _, err := w.acceptors[n%w.size.processes].tell("write %s", stormBackend(n).address()); err != nil {
			return err
		}
	}
	return nil
}

// mend opens the path.
func (w *world) mend() error {
	return w.net.each(func() error { return lose(0) })
}

// heal opens the path and waits until every socket has recovered.
func (w *world) heal(ctx context.Context) error {
	if err := w.mend(); err != nil {
		return err
	}
	return pause(ctx, 3*time.Second) // every socket retransmits once a second
}

// remove deletes a backend's pod from the records.
func (w *world) remove(gone backend) error {
	w.gone[gone] = true
	return w.cluster.write(w.gone)
}
