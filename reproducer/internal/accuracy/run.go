package accuracy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/rundir"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/scenario"
)

// Options say how to run.
type Options struct {
	Bin      string // directory of tcpstuck, tcpstuck-agent and echo
	Base     string // where the rounds' directories are made, e.g. /run
	Parallel int    // rounds at once
	Out      io.Writer
	// Only is what the plan was made for, see Alone: the run prints that flow's
	// story.
	Only string
	Keep string // folder for each round's book; "": none
}

// Run plays a plan and judges all reports of the agent.
func Run(ctx context.Context, opts Options, plan Plan) (Result, error) {
	result := Result{Seeds: []uint64{plan.Seed}}
	if _, err := rundir.Clean(opts.Base); err != nil {
		return result, err
	}
	var mu sync.Mutex
	tracks, ctx := errgroup.WithContext(ctx)
	tracks.SetLimit(max(1, opts.Parallel))
	for _, r := range plan.Rounds {
		tracks.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			one, err := playRound(ctx, opts, plan.Seed, r)
			if err != nil {
				return fmt.Errorf("round %d: %w", r.Number, err)
			}
			mu.Lock()
			defer mu.Unlock()
			result.Scores, result.Strangers = append(result.Scores, one.Scores...), append(result.Strangers, one.Strangers...)
			fmt.Fprintf(opts.Out, "round %d (IPv%s%s): %d flows, %d judged wrong\n", r.Number, r.Family, turned(r.Turn), len(one.Scores), len(one.Failures())+len(one.Strangers))
			one.brief(opts.Out)
			return nil
		})
	}
	return result, tracks.Wait()
}

// stranger says in which round a connection without a label was reported, and
// how to see it again.
func stranger(seed uint64, round int, what string) string {
	return fmt.Sprintf("round %d of seed %d: %s\n  `make accuracy SEED=%d ONLY=%d`", round, seed, what, seed, round)
}

// Has reports whether a result has the flow that was asked for, if one was: a plan knows
// its rounds and acts, but not which connections they will have.
func (r Result) Has(only string) bool {
	if strings.Count(only, "/") < 2 {
		return true
	}
	return slices.ContainsFunc(r.Scores, func(s Score) bool { return s.Label.Flow == only })
}

func turned(t Turn) string {
	if t == Steady {
		return ""
	}
	return ", " + string(t)
}

// playRound plays a round, and judges it after its labels are written and its agent has
// ended.
func playRound(ctx context.Context, opts Options, seed uint64, r Round) (result Result, err error) {
	say := func(string, ...any) {}
	if opts.Only != "" {
		say = func(what string, a ...any) { fmt.Fprintf(opts.Out, what+"\n", a...) }
	}
	l, err := openLab(ctx, opts, r, say)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.play(ctx); err != nil {
		return result, err
	}
	book := Book{Seed: seed, Round: r.Number, Over: time.Now()}
	if book.Truths, err = l.account(ctx); err != nil {
		return result, err
	}
	select {
	case <-l.agent.Done():
		return result, fmt.Errorf("the agent has ended: %w\n%s", l.agent.Err(), l.agent.Log())
	default:
	}
	admits, err := l.admits()
	if err != nil {
		return result, err
	}
	if err := l.agent.Stop(5 * time.Second); err != nil {
		return result, err
	}
	book.Up, book.Unseen = l.up, l.unseen
	if book.Labels, err = ReadLabels(l.books); err != nil {
		return result, err
	}
	if err := book.whole(r); err != nil {
		return result, err
	}
	if book.Events, err = readEvents(l.agent.Events()); err != nil {
		return result, err
	}
	if opts.Keep != "" {
		if err := book.keep(opts.Keep); err != nil {
			return result, err
		}
	}
	result = book.Judge()
	if !result.OK() {
		result.Admitted = losses(admits)
	}
	if opts.Only != "" {
		tellStory(opts, book, result)
	}
	return result, nil
}

// unseen is how many ends the agent says that it did not see.
func unseen(m scenario.Metrics) (n int) {
	for _, s := range m {
		if s.Name == "tcpstuck_records_lost_total" && s.Labels["stage"] == "unseen" {
			n += int(s.Value)
		}
	}
	return n
}

// losses are what the agent itself says that it lost.
func losses(m scenario.Metrics) (all []string) {
	for _, s := range m {
		switch s.Name {
		case "tcpstuck_records_lost_total", "tcpstuck_bpf_recursion_misses_total", "tcpstuck_resyncs_total", "tcpstuck_events_dropped_total", "tcpstuck_lookup_errors_total":
			if s.Value > 0 {
				all = append(all, fmt.Sprintf("%s%v %v", s.Name, s.Labels, s.Value))
			}
		}
	}
	return all
}

// Judge brings labels, books and events together.
func (b Book) Judge() Result {
	events := map[pair][]flow.Event{}
	for _, e := range b.Events {
		end := pair{e.Flow.Local.Addr, e.Flow.Peer.Addr}
		events[end] = append(events[end], e)
	}
	var r Result
	for _, label := range b.Labels {
		end := pair{label.Local, label.Remote}
		score := Judge(Case{Label: label, Truth: b.Truths[label.Flow], Events: events[end], Up: b.Up, Over: b.Over})
		score.Seed = b.Seed
		r.Scores = append(r.Scores, score)
		delete(events, end)
	}
	r.admit(b.Unseen)
	for end, about := range events {
		e := about[0]
		r.Strangers = append(r.Strangers, stranger(b.Seed, b.Round, fmt.Sprintf("%s to %s, which nobody labelled: %s: %s", end.local, end.remote, verdictOf(e), e.Flow.Sentence)))
	}
	return r
}

// readEvents reads the agent's reports about connections.
func readEvents(path string) ([]flow.Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer file.Close()
	var all []flow.Event
	for in := bufio.NewReader(file); ; {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return all, nil // a line that a kill cut short is no report
		}
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		var e flow.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("read event %q: %w", line, err)
		}
		if e.Flow != nil {
			all = append(all, e)
		}
	}
}

// tellStory prints what was reported of the flows that were asked for.
func tellStory(opts Options, b Book, r Result) {
	for i, l := range b.Labels {
		failed := len(r.Scores[i].gated()) > 0
		if l.Flow != opts.Only && !failed {
			continue
		}
		fmt.Fprintf(opts.Out, "\n%s  %s to %s, %s, family %s: %s\n", l.Flow, l.Local, l.Remote, l.Role, l.Family, r.Scores[i].Expected)
		for _, v := range l.Verdicts {
			fmt.Fprintf(opts.Out, "  true from %s: %s\n", clock(v.Since), v)
		}
		for _, w := range l.Withheld {
			fmt.Fprintf(opts.Out, "  withheld %s to %s: %s\n", clock(w.From), clock(w.To), w.Why)
		}
		if t := b.Truths[l.Flow]; t != nil {
			fmt.Fprintf(opts.Out, "  its application: %+v\n", *t)
		}
		for _, e := range r.Scores[i].events {
			fmt.Fprintf(opts.Out, "  %s %s %s: %s; gives up %+v; since %s; ended %s %s\n", clock(e.Time), e.Type, verdictOf(e), e.Flow.Sentence, e.Flow.GivesUp, clock(e.Flow.Since), e.Flow.Outcome, e.Flow.Err)
			for _, ev := range e.Flow.Evidence {
				fmt.Fprintf(opts.Out, "      %s: %s -> %s\n", ev.Source, ev.Asked, ev.Answer)
			}
		}
		for _, f := range r.Scores[i].gated() {
			fmt.Fprintf(opts.Out, "  %s: %s\n", f, r.Scores[i].Faults[f])
		}
	}
}
