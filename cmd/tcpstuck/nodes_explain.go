package main

import (
	"fmt"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// explain asks every node for the flow, since ids are a node's own.
func (w *plugin) explain(id string) int {
	answers, err := ask[flow.Finding](w, []string{"tcpstuck", "explain", "-o", "json", "--", id})
	if err != nil {
		return w.fail(err)
	}
	var found, failed []answer[flow.Finding]
	for _, a := range answers {
		switch {
		case a.err == nil:
			found = append(found, a)
		case strings.HasPrefix(a.err.Error(), api.ManyFlows):
			return w.fail(fmt.Errorf("%s: %w", a.node, a.err))
		case !strings.HasPrefix(a.err.Error(), api.NoFlow):
			failed = append(failed, a)
		}
	}
	code := w.silent(reasons(failed), len(answers))
	if len(failed) == len(answers) && len(failed) > 0 {
		return code // no node could say whether there is such a flow
	}
	return w.explainOne(id, exactly(id, found), len(failed) == 0)
}

// exactly returns the flows that have exactly this id, or else all.
func exactly(id string, found []answer[flow.Finding]) []answer[flow.Finding] {
	var exact []answer[flow.Finding]
	for _, a := range found {
		if a.value.ID.String() == strings.ToLower(id) {
			exact = append(exact, a)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return found
}

func (w *plugin) explainOne(id string, found []answer[flow.Finding], all bool) int {
	switch len(found) {
	case 0:
		return w.fail(fmt.Errorf("%s has a flow whose id begins with %s: it is not stuck, or it ended long ago", noNode(all), id))
	case 1:
		return w.showFlow(found[0].value)
	}
	var nodes []string
	for _, a := range found {
		nodes = append(nodes, a.node)
	}
	return w.fail(fmt.Errorf("several nodes have a flow whose id begins with %s: %s; choose one with --nodes", id, some(nodes)))
}

func noNode(all bool) string {
	if all {
		return "no node"
	}
	return "no node that answered"
}
