package ledger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// ended is a flow that is over, of a pod, of a namespace, or of a process of the
// host.
func ended(id int, local flow.Local, host bool, netns uint32) *Entry {
	s := flow.Socket{ID: flow.ID(id), NetNS: netns}
	e := newEntry(s).Judge(diagnosis.Evidence{Socket: s, Local: local, Host: host}, diagnosis.Decision{})
	return e.End(time.Unix(int64(id), 0), flow.Closed, nil, "ended")
}

// byUser returns a flow that is over: a host process with a proven user had the
// socket.
func byUser(id int, user, comm string, pid uint32) *Entry {
	s := flow.Socket{ID: flow.ID(id), NetNS: 1}
	e := newEntry(s).Judge(diagnosis.Evidence{Socket: s, Local: flow.Local{Comm: comm, PID: pid}, User: user, Host: true}, diagnosis.Decision{})
	return e.End(time.Unix(int64(id), 0), flow.Closed, nil, "ended")
}

func pod(namespace, name string) flow.Local {
	return flow.Local{Namespace: namespace, Pod: name, PID: 1}
}

func endedIDs(s *Ledger) []int {
	var ids []int
	for f := range s.View().Each(flow.Selection{Ended: true}) {
		ids = append(ids, int(f.ID))
	}
	return ids
}

// Each neighbour loses something once, as number 1, before another owner fills
// the list many times over.
func TestNobodysNoiseTakesAwayWhatOthersLost(t *testing.T) {
	const kept = 100
	for _, c := range []struct {
		name      string
		neighbour *Entry
		noise     func(n int) *Entry
	}{
		{"a pod", ended(1, pod("shop", "web"), false, 7), func(n int) *Entry { return ended(n, pod("team", "greedy"), false, 8) }},
		{"a pod of the same namespace", ended(1, pod("shop", "web"), false, 7), func(n int) *Entry { return ended(n, pod("shop", "greedy"), false, 8) }},
		{"a namespace of many pods", ended(1, pod("shop", "web"), false, 7), func(n int) *Entry { return ended(n, pod("team", fmt.Sprint("job-", n)), false, uint32(n)) }},
		{"a pod, to a process of the host", ended(1, flow.Local{Comm: "kubelet", PID: 9}, true, 1), func(n int) *Entry { return ended(n, pod("team", "greedy"), false, 8) }},
		{"processes of the host", ended(1, pod("shop", "web"), false, 7), func(n int) *Entry { return ended(n, flow.Local{Comm: "sh", PID: uint32(n)}, true, 1) }},
		{"a process of the host, to another", ended(1, flow.Local{Comm: "kubelet", PID: 9}, true, 1), func(n int) *Entry { return ended(n, flow.Local{Comm: "sh", PID: uint32(n)}, true, 1) }},
		{"another of the same name", ended(1, flow.Local{Comm: "python3", PID: 9}, true, 1), func(n int) *Entry { return ended(n, flow.Local{Comm: "python3", PID: 10}, true, 1) }},
		{"a network namespace", ended(1, flow.Local{}, false, 7), func(n int) *Entry { return ended(n, flow.Local{}, false, 8) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(Options{KeepEnded: kept}, start)
			s.Put(c.neighbour)
			const last = 1000
			for n := 2; n <= last; n++ {
				s.Put(c.noise(n))
			}
			ids := endedIDs(s)
			if len(ids) != kept || ids[0] != last || ids[kept-2] != last-kept+2 {
				t.Errorf("%d are kept, from %d to %d, want the latest", len(ids), ids[0], ids[len(ids)-1])
			}
			if !slices.Contains(ids, 1) {
				t.Error("the neighbour's is gone")
			}
			if _, ok := s.View().Finding(1); !ok {
				t.Error("the neighbour's cannot be explained any more")
			}
		})
	}
}

// TestNamesPushOutNobody: a process loses five connections on a plain host. Then
// others lose as many as the list keeps, by default 1,000. The five stay.
func TestNamesPushOutNobody(t *testing.T) {
	const kept, five = 1000, 5
	victim := func(user string) func(n int) *Entry {
		return func(n int) *Entry { return byUser(n, user, "victim", 9) }
	}
	for _, c := range []struct {
		name   string
		victim func(n int) *Entry
		noise  func(n int) *Entry
	}{
		{"a process that renames itself", victim("0"), func(n int) *Entry { return byUser(n, "65534", fmt.Sprint("n", n), 10) }},
		{"processes of many names", victim("0"), func(n int) *Entry { return byUser(n, "65534", fmt.Sprint("n", n), uint32(n)) }},
		{"a process that goes each time", victim("0"), func(n int) *Entry { return byUser(n, "65534", "", 0) }},
		{"processes whose user nobody knew", victim("0"), func(n int) *Entry { return byUser(n, "", fmt.Sprint("n", n), uint32(n)) }},
		{"names, to one whose user nobody knew", victim(""), func(n int) *Entry { return byUser(n, "65534", fmt.Sprint("n", n), 10) }},
		{"a name, to another of the same user", victim("1000"), func(n int) *Entry { return byUser(n, "1000", "noise", 10) }},
		{"a process, to another of the same name and user", victim("1000"), func(n int) *Entry { return byUser(n, "1000", "victim", 10) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(Options{KeepEnded: kept}, start)
			for n := range five {
				s.Put(c.victim(n))
			}
			for n := five; n < five+kept; n++ {
				s.Put(c.noise(n))
			}
			ids := endedIDs(s)
			if diff := cmp.Diff([]int{4, 3, 2, 1, 0}, ids[len(ids)-five:]); len(ids) != kept || diff != "" {
				t.Errorf("%d are kept, the oldest: -want +got\n%s", len(ids), diff)
			}
		})
	}
}

// TestAUserAloneHasEveryPlace: the list keeps no places free for other users.
func TestAUserAloneHasEveryPlace(t *testing.T) {
	const kept, last = 1000, 1999
	s := New(Options{KeepEnded: kept}, start)
	for n := range last + 1 {
		s.Put(byUser(n, "65534", fmt.Sprint("n", n), 10))
	}
	if ids := endedIDs(s); len(ids) != kept || ids[0] != last || ids[kept-1] != last-kept+1 {
		t.Errorf("%d are kept, from %d to %d, want the latest", len(ids), ids[0], ids[len(ids)-1])
	}
}

// A node of equals, or of one, keeps the latest.
func TestTheLatestThatEndedAreKept(t *testing.T) {
	for name, owner := range map[string]func(n int) flow.Local{
		"of one":    func(int) flow.Local { return pod("shop", "web") },
		"of equals": func(n int) flow.Local { return pod(fmt.Sprint("team-", n), "web") },
		"in turn":   func(n int) flow.Local { return pod(fmt.Sprint("team-", n%5), "web") },
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{KeepEnded: 10}, start)
			for n := range 100 {
				s.Put(ended(n, owner(n), false, 7))
			}
			if diff := cmp.Diff([]int{99, 98, 97, 96, 95, 94, 93, 92, 91, 90}, endedIDs(s)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestSharesAgainstAModel compares with a model that counts everything each time.
func TestSharesAgainstAModel(t *testing.T) {
	const seed = 20261128
	random := rand.New(rand.NewPCG(seed, seed))
	type entry struct{ tenant, owner string }
	var s shares[int]
	model := map[int]entry{}
	for n := range 5000 {
		e := entry{fmt.Sprint(random.IntN(1 + random.IntN(6))), fmt.Sprint(random.IntN(1 + random.IntN(4)))}
		s.add(n, uint64(n), e.tenant, e.owner)
		model[n] = e
		for len(model) > 50 || len(model) > 0 && random.IntN(20) == 0 {
			want := modelTakes(model, func(n int) string { return model[n].tenant }, func(n int) string { return model[n].owner })
			got := s.take()
			if got != want {
				t.Fatalf("after %d it takes %d (%v), want %d (%v)", n, got, model[got], want, model[want])
			}
			delete(model, got)
		}
	}
}

// modelTakes narrows the things down to the greediest, by one name after the
// other. Of equals, the one gives whose own choice is the oldest.
func modelTakes[E any](of map[int]E, names ...func(int) string) int {
	best, size := -1, 0
	if len(names) == 0 {
		for n := range of {
			if best < 0 || n < best {
				best = n
			}
		}
		return best
	}
	parts := map[string]map[int]E{}
	for n, e := range of {
		name := names[0](n)
		if parts[name] == nil {
			parts[name] = map[int]E{}
		}
		parts[name][n] = e
	}
	for _, part := range parts {
		choice := modelTakes(part, names[1:]...)
		if len(part) > size || len(part) == size && choice < best {
			best, size = choice, len(part)
		}
	}
	return best
}
