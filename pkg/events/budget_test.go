package events_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// in makes a flow one of another namespace, to a Service of its own.
func in(namespace, service string, ev flow.Event) flow.Event {
	ev.Flow.Local.Namespace, ev.Flow.Peer.Service = namespace, service
	return ev
}

// ofHost is a stuck flow of a process of the host.
func ofHost(n int) flow.Event {
	f := flowtest.Unknown()
	f.Since, f.Peer.Namespace, f.Peer.Service = time.Now(), "kube-system", fmt.Sprint("svc-", n)
	return flow.Event{Type: flow.EventStuck, Time: time.Now(), Flow: &f}
}

// about returns the pods and nodes that Events were about.
func (o *observer) about() (whom []string) {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, call := range o.calls {
		whom = append(whom, strings.Fields(call)[1])
	}
	return whom
}

func TestNobodysNoiseSilencesAnothersPod(t *testing.T) {
	var teams []string
	for n := range 60 {
		teams = append(teams, fmt.Sprint("team-", n))
	}
	for _, c := range []struct {
		name  string
		teams []string // their namespaces, each with one pod of that name
		noise func(n int) flow.Event
	}{
		{"one pod", teams[:20], func(n int) flow.Event { return in("noisy", fmt.Sprint("svc-", n), stuck("noisy")) }},
		{"one namespace", teams[:20], func(n int) flow.Event { return in("noisy", "svc", stuck(fmt.Sprint("noisy-", n))) }},
		{"the node", teams[:20], ofHost},
		{"thirty namespaces", teams, func(n int) flow.Event { return in(fmt.Sprint("noisy-", n%30), "svc", stuck(fmt.Sprint("noisy-", n))) }},
		{"a pod of the same namespace", []string{"noisy", "noisy/2"}, func(n int) flow.Event { return in("noisy", fmt.Sprint("svc-", n), stuck("greedy")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newObserver()
				k, cancel := newSink(t, o)
				defer cancel()
				for n := range 300 {
					write(t, k, c.noise(n))
				}
				for _, team := range c.teams {
					namespace, _, _ := strings.Cut(team, "/")
					write(t, k, in(namespace, "db", stuck(team)))
				}
				about := o.about()
				for _, team := range c.teams {
					if !slices.Contains(about, team) {
						t.Errorf("%s is not reported", team)
					}
				}
				if len(about) > 200 {
					t.Errorf("the API is asked %d times at once", len(about))
				}
				if err := k.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What repeats itself all the time takes nothing from what is new.
func TestRepetitionsWaitForWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserver()
		k, cancel := newSink(t, o)
		defer cancel()
		for second := range 600 {
			for n := range 300 {
				write(t, k, in("noisy", fmt.Sprint("svc-", n), stuck("noisy")))
			}
			if second%120 == 119 {
				whom := fmt.Sprint("other-", second)
				write(t, k, in("noisy", "db", stuck(whom)))
				if !slices.Contains(o.about(), whom) {
					t.Errorf("%s is not reported", whom)
				}
			}
			time.Sleep(time.Second)
		}
		if n := len(o.about()); n < 25 || n > 60 {
			t.Errorf("the API was asked %d times in ten minutes, want about two a minute, and two sums", n)
		}
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
}
