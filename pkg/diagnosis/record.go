package diagnosis

import (
	"strconv"
	"syscall"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// record lists the questions and their answers, in the order in which they were
// asked. If the cause is on this host, it leaves out that nothing is known of the backend.
func record(e *Evidence, here bool) []flow.Evidence {
	goal := target(e)
	all := make([]flow.Evidence, 0, 5)
	all = append(all, flow.Evidence{
		Source: string(flow.SourceKernel), At: e.Socket.At,
		Asked: "socket " + e.Socket.ID.String() + " in network namespace " + strconv.FormatUint(uint64(e.Socket.NetNS), 10), Answer: kernelAnswer(e),
	})
	if e.End != nil {
		all = append(all, endAnswer(e))
	}
	if !e.Conntrack.At.IsZero() {
		all = append(all, flow.Evidence{
			Source: string(flow.SourceConntrack), At: e.Conntrack.At,
			Asked: "entry for " + e.Socket.Local.String() + " → " + e.Socket.Remote.String(), Answer: conntrackAnswer(e),
		})
	}
	if e.Service != nil {
		all = append(all, flow.Evidence{
			Source: string(flow.SourceCluster), At: e.Now,
			Asked: "Service at " + e.Socket.Remote.String(), Answer: serviceAnswer(e),
		})
	}
	if unknown := e.Backend.State == "" || e.Backend.State == flow.BackendUnknown; !unknown || !here {
		all = append(all, flow.Evidence{
			Source: string(flow.SourceCluster), At: e.Now,
			Asked: "backend " + goal.String(), Answer: backendAnswer(e),
		})
	}
	if e.Drops != nil {
		all = append(all, flow.Evidence{
			Source: string(flow.SourceKernel), At: e.RouteAt, Asked: "segments dropped on this node since " + phrase.Time(e.Drops.Since, e.Now), Answer: dropAnswer(e),
		})
	}
	if e.Route != nil || e.RouteErr != nil {
		all = append(all, flow.Evidence{
			Source: string(flow.SourceRoute), At: e.RouteAt,
			Asked: "route " + routeAsked(e.Route) + "to " + goal.Addr().String(), Answer: routeAnswer(e),
		})
	}
	return all
}

func kernelAnswer(e *Evidence) string {
	s := &e.Socket
	answer := append(make([]byte, 0, 256), s.State.String()+", "+phrase.Count(int(s.Unacknowledged), "byte", "bytes")+" unacknowledged, "+phrase.Number(s.Unsent)+" unsent"...)
	if s.Orphan {
		answer = append(answer, ", closed by its owner"...)
	}
	if s.FinOutstanding {
		answer = append(answer, ", a FIN outstanding"...)
	}
	answer = append(answer, ", "+phrase.Count(s.Timeouts, "timeout", "timeouts")...)
	if s.SendWindow == 0 && s.State != flow.SynSent { // before the handshake there is none
		answer = append(answer, ", peer's window 0, "+phrase.Count(s.ProbesOut, "probe", "probes")+" unanswered"...)
	}
	answer = append(answer, sendAnswer(s)...)
	if s.SoftErr != 0 {
		answer = append(answer, ", soft error "+Errno(s.SoftErr)...)
	}
	if s.SackedOut > 0 {
		answer = append(answer, ", "+phrase.Count(s.SackedOut, "later segment", "later segments")+" acknowledged selectively"...)
	}
	if s.SegmentsIn > 0 {
		answer = append(answer, ", "+phrase.Count(int(s.SegmentsIn), "segment", "segments")+" from the peer since progress stopped"...)
	}
	if s.NeverAcked && s.State != flow.SynSent && s.AtRisk() > 0 {
		answer = append(answer, ", nothing acknowledged since the handshake"...)
	}
	if !s.LastAck.IsZero() {
		answer = append(answer, ", last ACK from the peer at "+phrase.Time(s.LastAck, e.Now)...)
	}
	return string(answer)
}

// sendAnswer says how the last transmission failed, if it did.
func sendAnswer(s *flow.Socket) string {
	switch {
	case s.SendErr == 0:
		return ""
	case s.SendErr < 0:
		return ", last transmission dropped by a queue of this host"
	case syscall.Errno(s.SendErr) == syscall.EBUSY:
		return ", last transmission held back because the one before is still in a queue of this host (EBUSY)"
	}
	return ", last transmission refused with " + Errno(s.SendErr)
}

func conntrackAnswer(e *Evidence) string {
	c := &e.Conntrack
	switch {
	case c.Err != nil:
		return "no answer: " + c.Err.Error()
	case c.Entry == nil:
		return "no entry"
	}
	t := c.Entry
	way := ", packets go to "
	if t.Accepted() {
		way = ", connected from "
	}
	marks := ""
	if t.Assured {
		marks = " [ASSURED]"
	}
	if t.Unreplied {
		marks += " [UNREPLIED]"
	}
	return t.State + ", expires in " + phrase.Duration(t.Timeout) + way + t.Backend().String() + marks
}

func serviceAnswer(e *Evidence) string {
	s := e.Service
	answer := string(s.Kind) + " of " + s.Namespace + "/" + s.Name + ", " + phrase.Count(s.Backends, "ready endpoint", "ready endpoints")
	if s.Deleted {
		answer += ", deleted" + at(e, s.DeletedAt, " at ")
	}
	return answer
}

func backendAnswer(e *Evidence) string {
	b := &e.Backend
	state, how := string(b.State), ""
	if state == "" {
		state = string(flow.BackendUnknown)
	}
	if b.How != "" {
		how = ": "
	}
	if b.Node == "" || b.NodeState == "" {
		return state + how + b.How
	}
	return state + how + b.How + "; node " + b.Node + " is " + string(b.NodeState)
}

func routeAnswer(e *Evidence) string {
	if e.RouteErr != nil {
		return "no answer: " + e.RouteErr.Error()
	}
	r := e.Route
	dead := ""
	if r.Dead != "" {
		dead = ", " + r.Dead + " is down"
		if r.NoCarrier {
			dead = ", " + r.Dead + " has no carrier"
		}
	}
	if r.Err != "" {
		return refusal(*r) + dead
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
	return answer + dead
}

// routeAsked names the origin of the packets that a route was asked for.
func routeAsked(r *flow.Route) string {
	switch {
	case r == nil || !r.Src.IsValid():
		return "from this node "
	case r.In != "":
		return "from " + r.Src.String() + ", which comes in by " + r.In + ", "
	}
	return "from " + r.Src.String() + " "
}

// refusal says why there is no route: by a route that refuses, or because none
// matches.
func refusal(r flow.Route) string {
	if r.Type == "" {
		return "no route, " + r.Err
	}
	return r.Type + ", " + r.Err
}
