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
	return p.showFlow(f)
}

func (p *program) showFlow(f flow.Finding) int {
	return write(p, f, []flow.Finding{f}, func() error { return report.Explain(p.stdout, f, p.now(), p.width) })
}
