package inspector_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/evidence"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const hostNetNS = 1

// withAttacker is the cluster and a third pod, on the client's node.
func withAttacker() cluster.Objects {
	o := objects()
	o.Pods = append(o.Pods, cluster.Pod{Namespace: "evil", Name: "attacker-1", UID: "uid-3", Node: "node-a", IPs: []netip.Addr{netip.MustParseAddr("192.168.75.66")}})
	return o
}

// TestThePodOfAFlow has a flow from the address of client-1.
func TestThePodOfAFlow(t *testing.T) {
	const spaceOf1, spaceOf3 = 7, 8
	proven := places{spaceOf1: "uid-2", spaceOf3: "uid-3"}
	for name, c := range map[string]struct {
		netns   uint32
		foreign bool
		places  places
		process flow.Owner // of the process that holds it
		dead    bool       // it does not live any more
		hidden  bool       // /proc shows no process
		want    string
	}{
		"its process says so":                          {spaceOf1, false, proven, flow.Owner{PodUID: "uid-2"}, false, false, "client-1"},
		"its process has gone, its namespace says so":  {spaceOf1, false, proven, flow.Owner{}, true, false, "client-1"},
		"a process of the host, in the pod":            {spaceOf1, false, proven, flow.Owner{}, false, false, "client-1"},
		"no process is shown, its namespace says so":   {spaceOf1, false, proven, flow.Owner{}, false, true, "client-1"},
		"nothing is proven":                            {spaceOf1, false, nil, flow.Owner{}, false, false, "client-1"},
		"nothing is proven, its process has gone":      {spaceOf1, false, nil, flow.Owner{}, true, false, "client-1"},
		"nothing is proven, no process is shown":       {spaceOf1, false, nil, flow.Owner{}, false, true, "client-1"},
		"a UID that is in no list":                     {spaceOf1, false, nil, flow.Owner{PodUID: "a-static-one"}, false, false, "client-1"},
		"another pod's process":                        {spaceOf3, true, proven, flow.Owner{PodUID: "uid-3"}, false, false, "attacker-1"},
		"another pod's process, nothing else is known": {spaceOf3, true, nil, flow.Owner{PodUID: "uid-3"}, false, false, "attacker-1"},
		"in another pod, its process has gone":         {spaceOf3, false, proven, flow.Owner{}, true, false, "attacker-1"},
		"in another pod, no process is shown":          {spaceOf3, true, proven, flow.Owner{}, false, true, "attacker-1"},
		"a namespace that somebody made":               {9, false, proven, flow.Owner{}, false, false, ""},
		"one that somebody made, its process has gone": {9, false, proven, flow.Owner{}, true, false, ""},
		"not an address of its namespace":              {9, true, nil, flow.Owner{}, false, false, ""},
		"the same, no process is shown":                {9, true, nil, flow.Owner{}, false, true, ""},
		"in the node's namespace":                      {hostNetNS, false, nil, flow.Owner{}, false, false, ""},
		"in the node's namespace, no process is shown": {hostNetNS, false, nil, flow.Owner{}, false, true, ""},
		"in the node's namespace, by a pod":            {hostNetNS, false, proven, flow.Owner{PodUID: "uid-3"}, false, false, "attacker-1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, func(n *node) {
					n.host, n.places = hostNetNS, c.places
					n.replace(withAttacker())
					n.cluster.TakeChanged()
					o := living(echo, c.process)
					if c.dead {
						o = owners{}
					}
					o.hidden = c.hidden
					n.owners = o
				})
				if c.hidden {
					n.await(flow.EventDegraded)
				}
				s := hung()
				s.NetNS, s.Foreign = c.netns, c.foreign
				n.kernel.retransmits(s)
				e := n.await(flow.EventStuck)
				if got := e.Flow.Local.Pod; got != c.want {
					t.Errorf("pod %q, want %q", got, c.want)
				}
				if l := e.Flow.Local; l.PID == 0 || l.Exited != c.dead {
					t.Errorf("process %+v", e.Flow.Local)
				}
			})
		})
	}
}

// A process is its PID and start time, whatever it calls itself.
func TestAProcessIsNotItsName(t *testing.T) {
	for name, c := range map[string]struct {
		comm  string
		holds flow.Process
		lives bool
	}{
		"it has another name now":         {"renamed", echo, true},
		"a name that cannot be printed":   {"bad?proc", echo, true},
		"it is gone":                      {"echo", flow.Process{PID: 1}, false},
		"its number is another process's": {"echo", flow.Process{PID: echo.PID, Started: echo.Started + 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, func(n *node) { n.owners = living(c.holds, flow.Owner{PodUID: "uid-2"}) })
				s := hung()
				s.Comm = c.comm
				n.kernel.retransmits(s)
				l := n.await(flow.EventStuck).Flow.Local
				if l.PID != echo.PID || l.Comm != c.comm || l.Exited == c.lives {
					t.Errorf("owner %+v, want that it lives: %v", l, c.lives)
				}
			})
		})
	}
}

// TestAPodStaysNamed has the process go, and then the pod's record.
func TestAPodStaysNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.owners = living(echo, flow.Owner{PodUID: "uid-2"}) })
		n.kernel.retransmits(hung())
		if l := n.await(flow.EventStuck).Flow.Local; l.Pod != "client-1" {
			t.Fatalf("owner %+v", l)
		}
		o := objects()
		o.Pods = slices.DeleteFunc(o.Pods, func(p cluster.Pod) bool { return p.UID == "uid-2" })
		o.Pods = append(o.Pods, cluster.Pod{Namespace: "default", Name: "client-2", UID: "uid-9", Node: "node-a", IPs: []netip.Addr{local.Addr()}})
		n.replace(o)
		n.settle()
		n.kernel.awaitReadings(t, 2)
		if all := n.findings(); len(all) != 1 || all[0].Local.Pod != "client-1" || all[0].Local.Workload != "client" {
			t.Errorf("findings %+v, want client-1's", all)
		}
	})
}

func TestHiddenProcessesDegradeTheirSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.owners = owners{hidden: true} })
		e := n.await(flow.EventDegraded)
		if e.Source != string(flow.SourceOwner) || !strings.Contains(e.Reason, "hidepid") {
			t.Errorf("%+v", e)
		}
		i := slices.IndexFunc(n.store.Health(), func(h flow.Health) bool { return h.Source == flow.SourceOwner })
		if i < 0 || n.store.Health()[i].Up {
			t.Errorf("health %+v", n.store.Health())
		}
	})
}

func TestShownProcessesAreASourceThatIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, func(n *node) { n.owners = owners{} })
		n.quiet()
		i := slices.IndexFunc(n.store.Health(), func(h flow.Health) bool { return h.Source == flow.SourceOwner })
		if i < 0 || !n.store.Health()[i].Up || n.store.Health()[i].LastSync.IsZero() {
			t.Errorf("health %+v", n.store.Health())
		}
	})
}

var _ evidence.Places = places{}

// searched knows nothing, and counts how often it is asked to look.
type searched struct {
	places
	passes chan struct{}
}

func (s searched) Knows(uint32) bool { return false }

func (s searched) Refresh(time.Time) error {
	s.passes <- struct{}{}
	return nil
}

// A namespace without any process is looked for once between two file scans, not
// once for each of its flows.
func TestAnEmptyNamespaceIsLookedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := searched{passes: make(chan struct{}, 1000)}
		n := start(t, func(n *node) { n.places = s })
		for id := range flow.ID(50) {
			one := hung()
			one.ID, one.Orphan, one.PID, one.Started, one.Comm = id+1, true, 0, 0, ""
			one.Local = netip.AddrPortFrom(local.Addr(), uint16(20_000+id))
			n.kernel.retransmits(one)
		}
		for range 50 {
			n.await(flow.EventStuck)
		}
		if made := len(s.passes); made == 0 || made > 20 {
			t.Errorf("%d passes over all processes for 50 flows of one namespace", made)
		}
	})
}
