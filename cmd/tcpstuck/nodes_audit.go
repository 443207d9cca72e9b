package main

import (
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// audit prints the audit of each node under its name.
func (w *plugin) audit() int {
	answers, err := ask[audit.Report](w, []string{"tcpstuck", "audit", "-o", "json"})
	if err != nil {
		return w.fail(err)
	}
	switch w.output {
	case "json":
		err = w.auditJSON(answers)
	case "jsonl":
		type finding struct {
			Node string `json:"node"`
			audit.Finding
		}
		var all []finding
		for _, a := range answers {
			for _, f := range a.value.Findings {
				all = append(all, finding{a.node, f})
			}
		}
		err = writeLines(w.stdout, all)
	default:
		err = sections(w, answers, func(r audit.Report) error { return report.Audit(w.stdout, r, w.width) })
	}
	if err != nil {
		return w.fail(err)
	}
	return w.silent(reasons(answers), len(answers))
}

func (w *plugin) auditJSON(answers []answer[audit.Report]) error {
	reports := []audit.Report{}
	for _, a := range answers {
		if a.err == nil {
			reports = append(reports, a.value)
		}
	}
	return writeIndented(w.stdout, struct {
		APIVersion string         `json:"apiVersion"`
		Reports    []audit.Report `json:"reports"`
		Nodes      []named        `json:"nodes"`
	}{flow.APIVersion, reports, names(answers)})
}
