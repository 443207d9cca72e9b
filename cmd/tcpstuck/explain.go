package main

import (
	"context"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

func (p *program) explain(ctx context.Context, id string) int {
	f, err := p.client.Flow(ctx, id)
	if err != nil {
		return p.fail(err)
	}
	if err := p.showFlow(f); err != nil {
		return p.fail(err)
	}
	return exitOK
}

func (p *program) showFlow(f flow.Finding) error {
	switch p.output {
	case "json":
		return writeIndented(p.stdout, f)
	case "jsonl":
		return writeLines(p.stdout, []flow.Finding{f})
	}
	return report.Explain(p.stdout, f, p.now(), p.width)
}
