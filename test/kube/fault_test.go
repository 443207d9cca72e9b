package kube_test

import (
	"fmt"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestFaults plays faults of a connection to the API. After each of them nothing
// that lives is called deleted, changes made meanwhile are known, and nothing
// grows.
func TestFaults(t *testing.T) {
	e := start(t)
	e.node(t, "node-a", "172.18.0.2")
	e.node(t, "node-b", "172.18.0.3")
	for n, tt := range []struct {
		name  string
		fault func(*proxy)
		lasts time.Duration // at least
		down  bool          // the source must notice, and say so
	}{
		{"disconnected", (*proxy).cut, 0, false},
		{"away, shortly", (*proxy).away, 200 * time.Millisecond, false},
		{"away for ten minutes", (*proxy).away, 20 * time.Second, true}, // of a staleness of 1 s
		{"half-open", (*proxy).freeze, 0, true},
		{"answers after 5 s", func(p *proxy) { p.slow(5 * time.Second); p.cut() }, 6 * time.Second, true},
		{"too many requests", func(p *proxy) { p.answer(429, metav1.StatusReasonTooManyRequests, nil); p.cut() }, 0, true},
		{"server errors", func(p *proxy) { p.answer(503, metav1.StatusReasonServiceUnavailable, nil); p.cut() }, 0, true},
		{"gone after a restart", func(p *proxy) { p.answer(410, metav1.StatusReasonExpired, resumes); p.cut() }, time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := func(host int) string { return fmt.Sprintf("10.3.%d.%d", n, host) }
			at := func(host int) string { return address(host) + ":8000" }
			name := func(what string) string { return fmt.Sprintf("%s-%d", what, n) }
			p := newProxy(t, e)
			lives := e.pod(t, name("lives"), "node-b", address(1))
			moves := e.pod(t, name("moves"), "node-b", address(2))
			dies := e.pod(t, name("dies"), "node-b", address(3))
			mine := e.pod(t, name("mine"), "node-a", address(4))
			stays := e.pod(t, name("stays"), "node-a", address(5))
			e.slice(t, name("x"), name("x"), endpoint(lives), endpoint(moves), endpoint(dies))
			s := follow(t, e.kubeconfig(t, p.url, p.ca))
			s.awaitUp(t, true)
			for host := 1; host <= 5; host++ {
				s.awaitState(t, at(host), flow.BackendListed)
				s.awaitRead(t, at(host))
			}

			tt.fault(p)
			e.deletePod(t, dies.Name, 0)
			e.deletePod(t, mine.Name, 0)
			e.slice(t, name("x"), name("x"), endpoint(lives)) // moves has left, and lives
			came := e.pod(t, name("came"), "node-b", address(6))
			e.slice(t, name("y"), name("y"), endpoint(came))
			watch := time.Now()
			said := false
			for time.Since(watch) < tt.lasts || tt.down && !said {
				if time.Since(watch) > 20*time.Second+tt.lasts {
					t.Fatal("it goes unnoticed")
				}
				said = said || !s.health().Up
				for _, host := range []int{1, 2, 5} {
					if b := s.backend(at(host)); b.State == flow.BackendDeleted {
						t.Fatalf("%s is called deleted: %s", at(host), b.How)
					}
				}
				time.Sleep(5 * time.Millisecond)
			}
			if tt.down {
				await(t, "doubt", func() bool { return s.backend(at(1)).State == flow.BackendUnknown || s.health().Up })
				t.Logf("meanwhile: %s", s.health().Detail)
			}
			p.heal()
			healed := time.Now()
			s.awaitUp(t, true)
			for host, want := range map[int]flow.BackendState{
				1: flow.BackendListed, 2: flow.BackendUnlisted, 3: flow.BackendDeleted,
				4: flow.BackendDeleted, 5: flow.BackendListed, 6: flow.BackendListed,
			} {
				await(t, at(host), func() bool {
					if b := s.backend(at(host)); host != 3 && host != 4 && b.State == flow.BackendDeleted {
						t.Fatalf("%s is called deleted: %s", at(host), b.How)
					}
					return s.backend(at(host)).State == want
				})
			}
			t.Logf("all is known %s after the fault's end", time.Since(healed).Round(time.Millisecond))
			for _, pod := range []*corev1.Pod{lives, moves, stays, came} {
				e.deletePod(t, pod.Name, 0)
			}
		})
	}
}

// TestManyDisconnectsLeaveNothing: neither a goroutine nor memory.
func TestManyDisconnectsLeaveNothing(t *testing.T) {
	e := start(t)
	e.node(t, "node-a", "172.18.0.2")
	p := newProxy(t, e)
	s := follow(t, e.kubeconfig(t, p.url, p.ca))
	s.awaitUp(t, true)
	measure := func() (int, uint64) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	goroutines, heap := measure() // every watch is open
	for round := range 30 {
		p.cut()
		name := fmt.Sprintf("p-%d", round)
		pod := e.pod(t, name, "node-a", fmt.Sprintf("10.4.0.%d", round+1))
		s.awaitState(t, pod.Status.PodIP+":1", flow.BackendListed) // it watches again
		e.deletePod(t, name, 0)
		if round == 9 {
			_, heap = measure()
		}
	}
	s.awaitUp(t, true)
	var g int
	var h uint64
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if g, h = measure(); g <= goroutines+5 {
			break
		}
	}
	if g > goroutines+5 {
		t.Errorf("%d goroutines, %d before", g, goroutines)
		pprof.Lookup("goroutine").WriteTo(t.Output(), 1)
	}
	if h > heap+2<<20 {
		t.Errorf("the heap grew from %d to %d bytes", heap, h)
	}
}
