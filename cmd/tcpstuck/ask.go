package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube/agents"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

const (
	asked    = 32              // nodes at once
	progress = 2 * time.Second // between two lines of progress
)

// answer is what a node answered, or why it did not.
type answer[T any] struct {
	node  string
	value T
	err   error
}

// ask runs a command on every chosen node and reads what it prints as JSON.
// Answers are ordered by node. An error means that no node could be asked.
func ask[T any](w *plugin, command []string) ([]answer[T], error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all, err := w.fleet.Agents(ctx)
	if err != nil {
		return nil, err
	}
	chosen := choose(all, w.nodes)
	answers := make([]answer[T], len(chosen))
	waiting := newWaiting(chosen)
	stop := waiting.report(w.program)
	defer stop()
	var group errgroup.Group
	group.SetLimit(asked)
	for n, a := range chosen {
		group.Go(func() error {
			answers[n].node = a.Node
			answers[n].value, answers[n].err = askOne[T](w, a, command)
			waiting.done(a.Node)
			return nil
		})
	}
	return answers, group.Wait()
}

func askOne[T any](w *plugin, a agents.Agent, command []string) (value T, err error) {
	if a.Problem != "" {
		return value, errors.New(a.Problem)
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code, err := w.fleet.Exec(ctx, a, command, &stdout, &stderr)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return value, fmt.Errorf("no answer within %s", phrase.Duration(w.timeout))
	case err != nil:
		return value, err
	case code != exitOK && code != exitStuck:
		return value, failure(code, stderr.String())
	}
	if err := read(stdout.Bytes(), &value); err != nil {
		return value, fmt.Errorf("its answer cannot be read: %w", err)
	}
	return value, nil
}

// read reads an answer of this version.
func read(answer []byte, into any) error {
	if err := json.Unmarshal(answer, into); err != nil {
		return err
	}
	var is struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal(answer, &is); err != nil {
		return err
	}
	return flow.CheckAPIVersion(is.APIVersion)
}

// failure is the message of a command that failed.
func failure(code int, stderr string) error {
	said := strings.TrimPrefix(strings.Join(strings.Fields(stderr), " "), "tcpstuck: ")
	return errors.New(cmp.Or(said, fmt.Sprintf("tcpstuck exits with %d", code)))
}

// choose returns the agents of the named nodes, or all.
func choose(all []agents.Agent, nodes []string) []agents.Agent {
	if len(nodes) == 0 {
		return all
	}
	var chosen []agents.Agent
	for _, node := range slices.Compact(slices.Sorted(slices.Values(nodes))) {
		n := slices.IndexFunc(all, func(a agents.Agent) bool { return a.Node == node })
		if n < 0 {
			chosen = append(chosen, agents.Agent{Node: node, Problem: "no agent runs there"})
			continue
		}
		chosen = append(chosen, all[n])
	}
	return chosen
}

// waiting is the nodes that have not answered yet.
type waiting struct {
	mu    sync.Mutex
	nodes []string
	total int
}

func newWaiting(all []agents.Agent) *waiting {
	w := &waiting{total: len(all)}
	for _, a := range all {
		w.nodes = append(w.nodes, a.Node)
	}
	return w
}

func (w *waiting) done(node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = slices.DeleteFunc(w.nodes, func(n string) bool { return n == node })
}

// report prints now and then how many have answered, until it is stopped.
func (w *waiting) report(p *program) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(progress)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				_, _ = fmt.Fprintln(p.stderr, w.line())
			}
		}
	}()
	return func() { close(ended); <-done }
}

func (w *waiting) line() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("%d of %d nodes have answered; waiting for %s", w.total-len(w.nodes), w.total, some(w.nodes))
}

// some names a few nodes of many.
func some(nodes []string) string {
	return phrase.Some(len(nodes), 5, func(n int) string { return nodes[n] })
}
