package main

import (
	"context"
	"encoding/json"

	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// audit lists the connections that would hang if their peer vanished now.
func (p *program) audit(ctx context.Context) int {
	r, err := p.client.Audit(ctx)
	if err != nil {
		return p.fail(err)
	}
	switch p.output {
	case "json":
		err = writeIndented(p.stdout, r)
	case "jsonl":
		e := json.NewEncoder(p.stdout)
		for n := 0; n < len(r.Findings) && err == nil; n++ {
			err = e.Encode(r.Findings[n])
		}
	default:
		err = report.Audit(p.stdout, r, p.width)
	}
	if err != nil {
		return p.fail(err)
	}
	return exitOK
}
