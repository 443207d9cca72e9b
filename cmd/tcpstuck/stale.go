package main

import (
	"context"

	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// dumpStale lists the conntrack entries that outlived their flows.
func (p *program) dumpStale(ctx context.Context) int {
	list, err := p.client.Stale(ctx)
	if err != nil {
		return p.fail(err)
	}
	return write(p, list, list.Entries, func() error { return report.Stale(p.stdout, list.Entries, p.now()) })
}
