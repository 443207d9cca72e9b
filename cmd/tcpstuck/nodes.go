package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// nodesList is the JSON of dump for several nodes: the flows of all, as those of one,
// and how each node answered.
type nodesList struct {
	APIVersion string         `json:"apiVersion"`
	Flows      []flow.Finding `json:"flows"`
	Nodes      []nodeState    `json:"nodes"`
}

// nodeState is how a node answered.
type nodeState struct {
	Node     string                   `json:"node"`
	Error    *string                  `json:"error"` // null: it answered
	Started  *time.Time               `json:"agent_started_at"`
	Suspects int                      `json:"suspects"`
	Counted  map[flow.Suppression]int `json:"counted"`
	Sources  []flow.Health            `json:"sources"`
}

func (w *plugin) dump(d dumpFlags) int {
	if d.stale {
		return w.dumpStale(d)
	}
	answers, err := ask[api.FlowList](w, d.command(d.brief || w.textual()))
	if err != nil {
		return w.fail(err)
	}
	list := nodesList{APIVersion: flow.APIVersion, Flows: []flow.Finding{}, Nodes: []nodeState{}}
	var views []report.View
	now := w.now()
	for _, a := range answers {
		said := a.value
		list.Flows = append(list.Flows, said.Flows...)
		list.Nodes = append(list.Nodes, nodeState{
			Node: a.node, Error: text(a.err), Started: said.Started, Suspects: said.Suspects, Counted: said.Counted, Sources: said.Sources,
		})
		if a.err == nil {
			v := view(said, now)
			v.Node = a.node
			views = append(views, v)
		}
	}
	if len(views) > 0 || w.output == "json" { // which also says why nobody answered
		if err := w.showNodes(list, views, d, now); err != nil {
			return w.fail(err)
		}
	}
	code := max(w.silent(reasons(answers), len(answers)), stuck(list.Flows))
	for _, n := range list.Nodes {
		code = max(code, unwatched(n.Sources))
	}
	return code
}

func (w *plugin) showNodes(list nodesList, views []report.View, d dumpFlags, now time.Time) error {
	switch {
	case w.output == "json":
		return writeIndented(w.stdout, list)
	case w.output == "jsonl":
		return writeLines(w.stdout, list.Flows)
	case d.ended && w.output == "wide":
		return report.EndedNodesWide(w.stdout, views, now, d.after(now), w.width)
	case d.ended:
		return report.EndedNodes(w.stdout, views, now, d.after(now), w.width)
	case w.output == "wide":
		return report.DumpNodesWide(w.stdout, views, len(list.Nodes), now, w.width)
	}
	return report.DumpNodes(w.stdout, views, len(list.Nodes), now, w.width)
}

func text(err error) *string {
	if err == nil {
		return nil
	}
	return new(err.Error())
}

// reason is why some nodes did not answer.
type reason struct {
	why   string
	nodes []string
}

func reasons[T any](answers []answer[T]) []reason {
	var all []reason
	for _, a := range answers {
		if a.err == nil {
			continue
		}
		n := slices.IndexFunc(all, func(r reason) bool { return r.why == a.err.Error() })
		if n < 0 {
			n, all = len(all), append(all, reason{why: a.err.Error()})
		}
		all[n].nodes = append(all[n].nodes, a.node)
	}
	return all
}

// silent names the nodes that did not answer, a line for each reason. An answer
// without a node is an error, because flows may be stuck there.
func (w *plugin) silent(all []reason, of int) int {
	code := exitOK
	for _, r := range all {
		code = w.fail(fmt.Errorf("%d of %d nodes did not answer: %s: %s", len(r.nodes), of, some(r.nodes), r.why))
	}
	return code
}

// named is a node and why it did not answer.
type named struct {
	Node  string  `json:"node"`
	Error *string `json:"error"`
}

func names[T any](answers []answer[T]) []named {
	all := []named{}
	for _, a := range answers {
		all = append(all, named{a.node, text(a.err)})
	}
	return all
}

// sections prints each node's answer under its name.
func sections[T any](w *plugin, answers []answer[T], show func(T) error) error {
	first := true
	var errs []error
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		blank := "\n"
		if first {
			blank, first = "", false
		}
		_, err := fmt.Fprintf(w.stdout, "%s%s:\n", blank, a.node)
		errs = append(errs, cmp.Or(err, show(a.value)))
	}
	return errors.Join(errs...)
}
