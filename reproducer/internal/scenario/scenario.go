// Package scenario plays what happens to connections in real clusters, in a cluster of
// network namespaces with the real agent on node-a, and compares the agent's reports with
// the truth.
package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// Scenario is one story and the verdict that it must lead to.
type Scenario struct {
	Name     string      `json:"name"`
	Story    string      `json:"story"`
	Expected Expectation `json:"expected"`
	// Families are the default address families; nil: IPv4.
	Families []cluster.Family `json:"families,omitempty"`

	// stuckAfter is the agent's --stuck-after.
	stuckAfter time.Duration
	// agentArgs are further flags of the agent.
	agentArgs []string
	// prepare starts pods and clients, before the agent starts.
	prepare func(context.Context, *Lab) error
	// fault breaks something and returns when: no answer to a later write of the
	// client gets through. For a control it plays the whole story and watches.
	fault func(context.Context, *Lab) (time.Time, error)
	// prove proves, after a control has passed, that a dead agent would have failed;
	// a brokenClaim says that it would have passed. Optional.
	prove func(context.Context, *Lab) error
	// quiet says that the kernel reports no such flow: a file scan has to find
	// it.
	quiet bool
	// subject demands that a finding is about the flow that hangs; nil: about
	// the client's first connection.
	subject func(*Lab, flow.Finding) error
	// aside selects the findings that are reported as well, and not judged; nil:
	// there are none.
	aside func(*Lab, flow.Finding) bool
	// check demands more of a finding than symptom and cause.
	check func(*Lab, flow.Finding) error
	// aftermath ends the flow after it was found; nil: time does.
	aftermath func(context.Context, *Lab) error
	// shaken says that ICMP errors move the kernel's clock while it runs, so
	// that no prediction of its end is exact.
	shaken bool
	// full says that the end takes the kernel's own time (Full).
	full bool
	// checkEnd demands more of a flow's end than outcome and error.
	checkEnd func(context.Context, *Lab, flow.Finding) error
}

// Expectation is the verdict that a scenario must lead to; zero: nothing is reported.
type Expectation struct {
	Symptom flow.Symptom `json:"symptom,omitempty"`
	Cause   flow.Cause   `json:"cause,omitempty"`
	// Outcome is how the flow then ends; empty: the run does not wait for it.
	Outcome flow.Outcome `json:"outcome,omitempty"`
	// Error is the errno that its owner then reads; empty: none.
	Error string `json:"error,omitempty"`
}

// Control reports whether the agent must report nothing.
func (e Expectation) Control() bool { return e == Expectation{} }

// String returns the expectation as people write it.
func (e Expectation) String() string {
	if e.Control() {
		return "nothing"
	}
	said := fmt.Sprintf("%s · %s", e.Symptom, e.Cause)
	for _, end := range []string{string(e.Outcome), e.Error} {
		if end != "" {
			said += " · " + end
		}
	}
	return said
}

// All returns every scenario, the controls last.
func All() []Scenario {
	return append([]Scenario{
		calico(), headless(), addressReuse(), sameNodeNoEndpoints(), synStale(),
		userTimeout(), silentSender(), silentSenderL2(),
		nodeDown(), nodeDownEvicted(), nodeBack(), vipFailover(), reject(), deadNeighbour(), pathMTU(), egress(),
		idleHalfOpen(), idleReuse(), halfOpenDownstream(), keepalive(), idleClosed(),
		zeroWindow(), zeroWindowDead(), windowReopens(), windowReopensDead(), sidecar(), localBlackhole(), localFilter(), localQueue(), synFiltered(), filterThenDead(),
		addressLost(), linkDown(), policyRoute(), answersDropped(), synAnswersDropped(), handshakeLost(), oneFlight(), paws(), acceptQueue(),
		truncatedUnread(), truncatedLatePing(), truncatedDrainTimeout(), truncatedConsumer(),
		lossy(), graceful(), gracefulLateClose(), vanishedClients(),
		sameNode(), finThrough(), sigtermHandled(), slow(), mptcp(), truncatedDrained(),
	}, livingControls()...)
}

// allFamilies are for the most important cases.
func allFamilies() []cluster.Family {
	return []cluster.Family{cluster.IPv4, cluster.IPv6, cluster.Mapped}
}

// Find returns a scenario by its name.
func Find(name string) (Scenario, error) {
	all := All()
	i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, fmt.Errorf("no scenario %q; `reproducer list` lists them", name)
	}
	return all[i], nil
}
