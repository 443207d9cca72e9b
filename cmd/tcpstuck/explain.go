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
	switch p.output {
	case "json":
		err = writeIndented(p.stdout, f)
	case "jsonl":
		err = writeLines(p.stdout, []flow.Finding{f})
	default:
		err = report.Explain(p.stdout, f, p.now(), p.width)
	}
	if err != nil {
		return p.fail(err)
	}
	return exitOK
}
