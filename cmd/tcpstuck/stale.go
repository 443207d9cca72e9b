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
	switch p.output {
	case "json":
		err = writeIndented(p.stdout, list)
	case "jsonl":
		err = writeLines(p.stdout, list.Entries)
	default:
		err = report.Stale(p.stdout, list.Entries, p.now())
	}
	if err != nil {
		return p.fail(err)
	}
	return exitOK
}
