package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

func (p *program) dump(ctx context.Context, all bool) int {
	q := api.Query{State: api.Live, Muted: all, Brief: p.output == "table" || p.output == "wide"}
	if all {
		q.State = api.All
	}
	list, err := p.client.Flows(ctx, q)
	if err != nil {
		return p.fail(err)
	}
	if err := p.show(ctx, list); err != nil {
		return p.fail(err)
	}
	for _, f := range list.Flows {
		if !f.Ended() {
			return exitStuck
		}
	}
	return exitOK
}

func (p *program) show(ctx context.Context, list api.FlowList) error {
	switch p.output {
	case "json":
		return writeIndented(p.stdout, list)
	case "jsonl":
		return writeLines(p.stdout, list.Flows)
	}
	status, err := p.client.Status(ctx)
	if err != nil {
		return err
	}
	view := report.View{
		Now: p.now(), Node: status.Node, Flows: list.Flows,
		Suspects: status.Suspects, Counted: status.Counted, Sources: list.Sources,
	}
	if p.output == "wide" {
		return report.DumpWide(p.stdout, view, p.width)
	}
	return report.Dump(p.stdout, view, p.width)
}

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

func writeLines(w io.Writer, fs []flow.Finding) error {
	e := json.NewEncoder(w)
	for _, f := range fs {
		if err := e.Encode(f); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
	}
	return nil
}
