package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// dumpFlags say what dump lists.
type dumpFlags struct {
	all   bool
	ended bool
	since time.Duration // 0: without a limit
	stale bool
	brief bool
}

func (d dumpFlags) check() error {
	switch {
	case d.ended && d.stale:
		return errors.New("--ended and --stale list different things: give one of them")
	case d.since != 0 && !d.ended:
		return errors.New("--since goes with --ended")
	case d.since < 0:
		return fmt.Errorf("--since=%v: want a time above 0", d.since)
	}
	return nil
}

// after returns the earliest end of a flow that is listed.
func (d dumpFlags) after(now time.Time) time.Time {
	if d.since == 0 {
		return time.Time{}
	}
	return now.Add(-d.since)
}

func (p *program) dump(ctx context.Context, d dumpFlags) int {
	if d.stale {
		return p.dumpStale(ctx)
	}
	now := p.now()
	q := api.Query{State: api.Live, Suppressed: d.all, Brief: d.brief, Rows: p.textual(), EndedAfter: d.after(now)}
	switch {
	case d.ended:
		q.State = api.Ended
	case d.all:
		q.State = api.All
	}
	if !p.textual() {
		return p.dumpJSON(ctx, q)
	}
	list, err := p.client.Flows(ctx, q)
	if err != nil {
		return p.fail(err)
	}
	if err := p.show(list, d, now); err != nil {
		return p.fail(err)
	}
	return max(stuck(list.Flows), unwatched(list.Sources))
}

// stuck is the exit code for these flows.
func stuck(flows []flow.Finding) int {
	for _, f := range flows {
		if !f.Ended() {
			return exitStuck
		}
	}
	return exitOK
}

// unwatched is the exit code for these sources: while the kernel side is
// degraded, flows may hang unseen, and "nothing is stuck" would be a guess.
func unwatched(sources []flow.Health) int {
	if report.Hidden(sources) {
		return exitError
	}
	return exitOK
}

// textual reports whether a person reads the output.
func (p *program) textual() bool { return p.output == "table" || p.output == "wide" }

func (p *program) show(list api.FlowList, d dumpFlags, now time.Time) error {
	v := view(list, now)
	v.Socket = p.socket
	switch {
	case d.ended && p.output == "wide":
		return report.EndedWide(p.stdout, v, d.after(now), p.width)
	case d.ended:
		return report.Ended(p.stdout, v, d.after(now), p.width)
	case p.output == "wide":
		return report.DumpWide(p.stdout, v, p.width)
	}
	return report.Dump(p.stdout, v, p.width)
}

// view is a list in the form of package report.
func view(list api.FlowList, now time.Time) report.View {
	v := report.View{Now: now, Node: list.Node, Flows: list.Flows, Suspects: list.Suspects, Counted: list.Counted, Sources: list.Sources}
	if list.Started != nil {
		v.Started = *list.Started
	}
	return v
}

// write prints an answer in the form that was asked for: the whole of it as JSON,
// its lines, or what text prints. It returns the exit code.
func write[T any](p *program, whole any, lines []T, text func() error) int {
	var err error
	switch p.output {
	case "json":
		err = writeIndented(p.stdout, whole)
	case "jsonl":
		err = writeLines(p.stdout, lines)
	default:
		err = text()
	}
	if err != nil {
		return p.fail(err)
	}
	return exitOK
}

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

func writeLines[T any](w io.Writer, lines []T) error {
	e := json.NewEncoder(w)
	for _, line := range lines {
		if err := e.Encode(line); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
	}
	return nil
}
