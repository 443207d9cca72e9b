package diagnosis

import (
	"fmt"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// record lists the questions and their answers, in the order in which they were
// asked.
func record(e Evidence) []flow.Evidence {
	all := []flow.Evidence{{
		Source: string(flow.SourceKernel), At: e.Socket.At,
		Asked: fmt.Sprintf("socket %s in network namespace %d", e.Socket.ID, e.Socket.NetNS), Answer: kernelAnswer(e),
	}}
	if e.End != nil {
		all = append(all, endAnswer(e))
	}
	if !e.Conntrack.At.IsZero() {
		all = append(all, flow.Evidence{
			Source: string(flow.SourceConntrack), At: e.Conntrack.At,
			Asked: "entry for " + e.Socket.Tuple().String(), Answer: conntrackAnswer(e),
		})
	}
	if e.Service != nil {
		all = append(all, flow.Evidence{
			Source: string(flow.SourceCluster), At: e.Now,
			Asked: "Service at " + e.Socket.Remote.String(), Answer: serviceAnswer(e),
		})
	}
	all = append(all, flow.Evidence{
		Source: string(flow.SourceCluster), At: e.Now,
		Asked: "backend " + e.Target().String(), Answer: backendAnswer(e),
	})
	if e.Route != nil || e.RouteErr != nil {
		all = append(all, flow.Evidence{
			Source: string(flow.SourceRoute), At: e.RouteAt,
			Asked: "route from this node to " + e.Target().Addr().String(), Answer: routeAnswer(e),
		})
	}
	return all
}

func kernelAnswer(e Evidence) string {
	s := e.Socket
	parts := []string{s.State.String(), phrase.Count(int(s.Unacknowledged), "byte", "bytes") + " unacknowledged, " + phrase.Number(s.Unsent) + " unsent"}
	if s.Orphan {
		parts = append(parts, "closed by its owner")
	}
	if s.FinOutstanding {
		parts = append(parts, "a FIN outstanding")
	}
	parts = append(parts, phrase.Count(s.Timeouts, "timeout", "timeouts"))
	if s.SendWindow == 0 && s.State != flow.SynSent { // before the handshake there is none
		parts = append(parts, "peer's window 0, "+phrase.Count(s.ProbesOut, "probe", "probes")+" unanswered")
	}
	if s.SendErr != 0 {
		parts = append(parts, "last transmission refused with "+Errno(s.SendErr))
	}
	if s.SoftErr != 0 {
		parts = append(parts, "soft error "+Errno(s.SoftErr))
	}
	if !s.LastAck.IsZero() {
		parts = append(parts, "last ACK from the peer at "+phrase.Time(s.LastAck, e.Now))
	}
	return strings.Join(parts, ", ")
}

func conntrackAnswer(e Evidence) string {
	c := e.Conntrack
	switch {
	case c.Err != nil:
		return "no answer: " + c.Err.Error()
	case c.Entry == nil:
		return "no entry"
	}
	t := c.Entry
	answer := fmt.Sprintf("%s, expires in %s, packets go to %s", t.State, phrase.Duration(t.Timeout), t.Backend())
	if t.Accepted() {
		answer = fmt.Sprintf("%s, expires in %s, connected from %s", t.State, phrase.Duration(t.Timeout), t.Backend())
	}
	if t.Assured {
		answer += " [ASSURED]"
	}
	if t.Unreplied {
		answer += " [UNREPLIED]"
	}
	return answer
}

func serviceAnswer(e Evidence) string {
	s := e.Service
	answer := fmt.Sprintf("%s of %s/%s, %s", s.Kind, s.Namespace, s.Name, phrase.Count(s.Backends, "ready endpoint", "ready endpoints"))
	if s.Deleted {
		answer += ", deleted" + e.at(s.DeletedAt, " at ")
	}
	return answer
}

func backendAnswer(e Evidence) string {
	b := e.Backend
	state := b.State
	if state == "" {
		state = flow.BackendUnknown
	}
	answer := string(state)
	if b.How != "" {
		answer += ": " + b.How
	}
	if b.Node != "" && b.NodeState != "" {
		answer += fmt.Sprintf("; node %s is %s", b.Node, b.NodeState)
	}
	return answer
}

func routeAnswer(e Evidence) string {
	if e.RouteErr != nil {
		return "no answer: " + e.RouteErr.Error()
	}
	r := e.Route
	if r.Err != "" {
		return refusal(*r)
	}
	answer := r.Type
	if r.Via.IsValid() {
		answer += " via " + r.Via.String()
	}
	if r.Interface != "" {
		answer += " dev " + r.Interface
	}
	if r.Neighbour != "" {
		answer += ", next hop " + r.Neighbour
	}
	return answer
}

// refusal says why there is no route: by a route that refuses, or because none
// matches.
func refusal(r flow.Route) string {
	if r.Type == "" {
		return "no route, " + r.Err
	}
	return r.Type + ", " + r.Err
}
