package main

import (
	"context"

	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// audit lists the connections that would hang if their peer vanished now.
func (p *program) audit(ctx context.Context) int {
	r, err := p.client.Audit(ctx)
	if err != nil {
		return p.fail(err)
	}
	return write(p, r, r.Findings, func() error { return report.Audit(p.stdout, r, p.width) })
}
