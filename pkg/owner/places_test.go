package owner

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

const hostNS = 1

// node is a node whose processes the test sets.
type node struct {
	all    []flow.Resident
	pods   map[uint32]string // by PID
	hidden map[uint32]bool
	asked  []uint32
	err    error
}

func (n *node) residents() ([]flow.Resident, error) { return n.all, n.err }

func (n *node) lookup(p flow.Process) (flow.Owner, error) {
	n.asked = append(n.asked, p.PID)
	if n.hidden[p.PID] {
		return flow.Owner{}, ErrHidden
	}
	return flow.Owner{PodUID: n.pods[p.PID]}, nil
}

func (n *node) places() *Places { return NewPlaces(n.residents, n.lookup, hostNS) }

// lives has a process start at the second that is its number.
func (n *node) lives(netns, pid uint32, pod string) {
	n.all = append(n.all, flow.Resident{Process: flow.Process{PID: pid, Started: time.Duration(pid) * time.Second}, NetNS: netns})
	n.pods[pid] = pod
}

func newNode() *node { return &node{pods: map[uint32]string{}, hidden: map[uint32]bool{}} }

var clock = time.Unix(1_000_000, 0)

// refresh is the nth pass, each two seconds after the one before.
func refresh(t *testing.T, p *Places, nth int) {
	t.Helper()
	if err := p.Refresh(clock.Add(time.Duration(nth) * 2 * time.Second)); err != nil {
		t.Fatal(err)
	}
}

func TestPlaces(t *testing.T) {
	n := newNode()
	n.lives(hostNS, 2, "")
	n.lives(hostNS, 3, "kube-proxy")
	n.lives(7, 10, "web") // the pause container
	n.lives(7, 11, "web")
	n.lives(8, 12, "db")
	n.lives(9, 13, "")    // ip netns exec
	n.lives(10, 14, "")   // a node in a container: what runs it,
	n.lives(10, 15, "ua") // and two pods on its network
	n.lives(10, 16, "ub")
	n.lives(11, 0, "elsewhere") // not in the agent's PID namespace
	n.lives(12, 17, "hides")
	n.hidden[17] = true
	p := n.places()
	refresh(t, p, 0)
	for netns, want := range map[uint32]string{hostNS: "", 7: "web", 8: "db", 9: "", 10: "", 11: "", 12: "", 99: ""} {
		if got := p.Pod(netns); got != want {
			t.Errorf("namespace %d is of pod %q, want %q", netns, got, want)
		}
	}
	for _, c := range []struct {
		pod   string
		netns uint32
		want  bool
	}{
		{"web", 7, false}, {"web", 8, true}, {"web", 9, true}, {"web", hostNS, true}, {"web", 99, true},
		{"kube-proxy", 7, false}, // where is unknown
		{"ua", 7, false}, {"hides", 7, false}, {"", 7, false},
	} {
		if got := p.Elsewhere(c.pod, c.netns); got != c.want {
			t.Errorf("pod %s lives elsewhere than in %d: %v, want %v", c.pod, c.netns, got, c.want)
		}
	}
	for netns, want := range map[uint32]bool{hostNS: true, 7: true, 9: true, 11: true, 99: false} {
		if got := p.Knows(netns); got != want {
			t.Errorf("knows %d: %v, want %v", netns, got, want)
		}
	}
}

// A pod's process may make a network namespace. That is the pod's, whatever
// addresses it has.
func TestANamespaceWithinAPod(t *testing.T) {
	n := newNode()
	n.lives(7, 10, "web")
	n.lives(8, 11, "db")
	n.lives(9, 12, "web")
	p := n.places()
	refresh(t, p, 0)
	if p.Pod(9) != "web" || p.Elsewhere("web", 9) || p.Elsewhere("web", 7) || !p.Elsewhere("db", 9) {
		t.Errorf("%+v", p.spaces)
	}
}

func TestPlacesOverTime(t *testing.T) {
	n := newNode()
	n.lives(7, 10, "web")
	n.lives(8, 11, "db")
	p := n.places()
	refresh(t, p, 0)
	n.asked = nil
	refresh(t, p, 1)
	if len(n.asked) > 0 {
		t.Errorf("%v were asked again", n.asked)
	}
	n.all = n.all[1:] // the last process of web goes; what it sent may hang on
	refresh(t, p, 2)
	if p.Pod(7) != "web" || p.Elsewhere("web", 8) {
		t.Errorf("the namespace of a pod that is gone: %+v", p.spaces)
	}
	n.lives(7, 20, "api") // the number of the namespace is given again
	refresh(t, p, 3)
	if p.Pod(7) != "api" {
		t.Errorf("the next pod in it: %+v", p.spaces)
	}
	n.all = n.all[:1]
	n.lives(7, 21, "") // and again, outside any pod
	refresh(t, p, 4)
	if p.Pod(7) != "" {
		t.Errorf("a namespace without pod: %+v", p.spaces)
	}
}

// While /proc hides its processes, a namespace stays whose it was.
func TestAHiddenProcessProvesNothing(t *testing.T) {
	n := newNode()
	n.lives(7, 10, "web")
	p := n.places()
	refresh(t, p, 0)
	n.all = nil
	n.lives(7, 11, "api")
	n.hidden[11] = true
	refresh(t, p, 1)
	if p.Pod(7) != "web" {
		t.Errorf("%+v", p.spaces)
	}
}

func TestPlacesAreBounded(t *testing.T) {
	n := newNode()
	n.lives(7, 10, "web")
	for i := range uint32(5000) { // as any user may with user namespaces
		n.lives(100+i, 100+i, "")
	}
	n.lives(8, 5, "db")
	p := n.places()
	refresh(t, p, 0)
	if len(n.asked) != perRefresh || p.Pod(7) != "web" || p.Pod(8) != "db" {
		t.Errorf("%d asked, %+v", len(n.asked), p.spaces)
	}
	n.all, n.pods = nil, map[uint32]string{}
	for i := range uint32(900) {
		n.lives(100+i, 10_000+i, fmt.Sprint("pod-", i))
	}
	refresh(t, p, 1)
	for i := range uint32(900) {
		n.all[i].NetNS += 2000
		n.all[i].PID += 2000
		n.pods[n.all[i].PID] = fmt.Sprint("pod-", i)
	}
	refresh(t, p, 2)
	if want := 900 + maxLeft; len(p.spaces) > want {
		t.Errorf("%d namespaces are kept, want %d at most", len(p.spaces), want)
	}
}

func TestPassesAreRationed(t *testing.T) {
	n := newNode()
	n.lives(7, 10, "web")
	p := n.places()
	refresh(t, p, 0)
	n.lives(8, 11, "db")
	if err := p.Refresh(clock.Add(refreshAge / 2)); err != nil || p.Knows(8) {
		t.Errorf("two passes within a second: %v", err)
	}
	n.err = errors.New("no iterator")
	if err := p.Refresh(clock.Add(refreshAge)); !errors.Is(err, n.err) || p.Pod(7) != "web" {
		t.Errorf("%v, want that it cannot be read, and what was known", err)
	}
}
