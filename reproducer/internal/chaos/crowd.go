package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
)

const (
	crowdProcesses = 6
	crowdPairs     = 8400 // a process; two sockets each, below 20,000 descriptors
	crowdStuck     = 300  // of them, a process
)

// crowd: a hundred thousand sockets hide no hang.
func crowd() Fault {
	return Fault{
		Name:  "crowd",
		Story: fmt.Sprintf("%d more sockets in %d processes, of which %d hang", 2*crowdProcesses*crowdPairs, crowdProcesses, crowdProcesses*crowdStuck),
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			ns, err := namespace.New(filepath.Join(l.dir.Path, rundir.NamespaceDir, "crowd"))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, ns.Close()) }()
			if err := ns.Do(hurry); err != nil {
				return err
			}
			stuck, end, err := gather(ctx, l.bin, ns)
			defer func() { err = errors.Join(err, end()) }()
			if err != nil {
				return err
			}
			o.inject(2 * crowdProcesses * crowdPairs)
			return playCrowd(ctx, l, o, ns, stuck)
		},
	}
}

// playCrowd starts an agent that looks only at the crowd.
func playCrowd(ctx context.Context, l *Lab, o *Outcome, ns *namespace.Namespace, stuck []*conn) error {
	if err := pause(ctx, 2*time.Second); err != nil { // they hang before the agent starts
		return err
	}
	began := time.Now()
	a, err := l.startReady(ctx, agentSpec{name: "crowd", scope: []string{ns.Path()}})
	if err != nil {
		return err
	}
	ready := time.Since(began)
	crowd := newTruth()
	crowd.hang(stuck...)
	l.truth.risk(stuck...) // for the reader of this agent's events
	if err := crowd.found(ctx, a); err != nil {
		o.lose("%v", err)
	}
	m, err := a.metrics(ctx)
	if err != nil {
		return err
	}
	memory, err := a.memory()
	if err != nil {
		return err
	}
	cpu, _ := m.Sum("process_cpu_seconds_total")
	o.see("all %d that hang are listed %.1f s after the start (ready after %.1f s), no other; %.2f s of CPU, %d MiB resident",
		len(stuck), time.Since(began).Seconds(), ready.Seconds(), cpu, memory>>20)
	if _, err := a.terminate(); err != nil {
		o.lose("%v", err)
	}
	l.truth.over(stuck...)
	return nil
}

// gather starts the crowd, and returns its hanging connections and a function that ends it.
func gather(ctx context.Context, bin string, ns *namespace.Namespace) (stuck []*conn, end func() error, err error) {
	var members []*namespace.Process
	end = func() error {
		var err error
		for _, p := range members {
			err = errors.Join(err, p.Kill())
		}
		return err
	}
	ids := make(chan flow.ID, crowdProcesses*crowdStuck)
	for n := range crowdProcesses {
		p, err := ns.Start(namespace.Command{
			Path: filepath.Join(bin, "chaos"), Args: []string{"crowd", strconv.Itoa(n)},
			Record: func(r io.Reader) { readIDs(r, ids) },
		})
		if err != nil {
			return nil, end, err
		}
		members = append(members, p)
	}
	for range cap(ids) {
		select {
		case id := <-ids:
			stuck = append(stuck, &conn{id: id})
		case <-ctx.Done():
			return nil, end, fmt.Errorf("gather the crowd: %w", ctx.Err())
		}
	}
	if err := cluster.Isolate(ns); err != nil {
		return nil, end, err
	}
	for _, p := range members {
		if err := p.Signal(syscall.SIGHUP); err != nil {
			return nil, end, err
		}
	}
	return stuck, end, nil
}

func readIDs(r io.Reader, ids chan<- flow.ID) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if id, err := flow.ParseID(strings.TrimSpace(lines.Text())); err == nil {
			ids <- id
		}
	}
}
