package main

import (
	"context"
	"encoding/json"

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
		e := json.NewEncoder(p.stdout)
		for n := 0; n < len(list.Entries) && err == nil; n++ {
			err = e.Encode(list.Entries[n])
		}
	default:
		err = report.Stale(p.stdout, list.Entries, p.now())
	}
	if err != nil {
		return p.fail(err)
	}
	return exitOK
}
