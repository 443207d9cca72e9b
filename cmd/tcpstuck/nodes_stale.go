package main

import (
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

func (w *plugin) dumpStale(d dumpFlags) int {
	answers, err := ask[api.StaleList](w, d.command(false))
	if err != nil {
		return w.fail(err)
	}
	type entry struct {
		Node string `json:"node"`
		flow.StaleEntry
	}
	entries := []entry{}
	for _, a := range answers {
		for _, e := range a.value.Entries {
			entries = append(entries, entry{a.node, e})
		}
	}
	switch w.output {
	case "json":
		err = writeIndented(w.stdout, struct {
			APIVersion string  `json:"apiVersion"`
			Entries    []entry `json:"entries"`
			Nodes      []named `json:"nodes"`
		}{flow.APIVersion, entries, names(answers)})
	case "jsonl":
		err = writeLines(w.stdout, entries)
	default:
		err = sections(w, answers, func(l api.StaleList) error { return report.Stale(w.stdout, l.Entries, w.now()) })
	}
	if err != nil {
		return w.fail(err)
	}
	return w.silent(reasons(answers), len(answers))
}
