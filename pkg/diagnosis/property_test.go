package diagnosis_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// world is a cluster of three tenants who write what they like into their
// slices and Services, and the truth about which pod had which address.
type world struct {
	rand    *rand.Rand
	state   *cluster.State
	limited bool
	now     time.Time
	pods    []cluster.Pod // that live
	past    []cluster.Pod
	next    int
	// dead holds the pods that are gone, by the address in their own record.
	dead map[netip.Addr][]cluster.Key
	// said holds, for each Service, which pods its slices said to have an
	// address.
	said map[claimed]bool
}

type claimed struct {
	service cluster.Key
	addr    netip.Addr
	uid     string
}

var (
	tenants = []string{"shop", "bank", "attacker"}
	places  = []netip.Addr{netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.1.0.3"), netip.MustParseAddr("198.51.100.20")}
)

func (w *world) pick(n int) int { return w.rand.IntN(n) }

func (w *world) tenant() string { return tenants[w.pick(len(tenants))] }

// anyPod returns a pod of a tenant that lives, that lived, or that never did.
func (w *world) anyPod(tenant string) (name, uid string) {
	for _, p := range slices.Concat(w.pods, w.past) {
		if p.Namespace == tenant && w.pick(2) == 0 {
			return p.Name, p.UID
		}
	}
	n := w.pick(4)
	return fmt.Sprint("ghost-", n), fmt.Sprint("ghost-", n)
}

func (w *world) bury(n int) cluster.Pod {
	p := w.pods[n]
	w.pods = slices.Delete(w.pods, n, n+1)
	w.past = append(w.past, p)
	for _, ip := range p.IPs {
		w.dead[ip] = append(w.dead[ip], p.Key())
	}
	return p
}

// step changes something.
func (w *world) step() {
	w.now = w.now.Add(time.Second)
	tenant := w.tenant()
	switch w.pick(7) {
	case 0, 1: // a pod comes, at a free address inside
		p := cluster.Pod{Namespace: tenant, Name: fmt.Sprint("p", w.next), UID: fmt.Sprint("u", w.next), Node: "node-b", CreatedAt: w.now}
		p.IPs = []netip.Addr{places[w.pick(3)]}
		w.next++
		for _, q := range w.pods {
			if q.IPs[0] == p.IPs[0] {
				return
			}
		}
		w.pods = append(w.pods, p)
		if !w.limited || w.pick(2) == 0 { // else it was not asked for
			w.state.SetPod(p, w.now)
		}
	case 2: // a pod goes
		if len(w.pods) > 0 {
			p := w.bury(w.pick(len(w.pods)))
			w.state.DeletePod(p.Key(), p.UID, w.now)
		}
	case 3, 4, 5: // a slice says anything
		sl := cluster.Slice{Namespace: tenant, Name: fmt.Sprint("slice-", w.pick(2)), Service: "s", AnyPort: true}
		for range w.pick(3) {
			e := cluster.Endpoint{Addr: places[w.pick(len(places))], Node: "node-b", Ready: true, Terminating: w.pick(4) == 0}
			if w.pick(3) > 0 {
				e.Pod, e.PodUID = w.anyPod(w.tenant()) // maybe another tenant's name
				w.said[claimed{cluster.Key{Namespace: tenant, Name: "s"}, e.Addr, e.PodUID}] = true
			}
			sl.Endpoints = append(sl.Endpoints, e)
		}
		w.state.SetSlice(sl, w.now)
	case 6: // it is asked for a pod that was never there, or is forgotten
		if !w.limited {
			return
		}
		if name, uid := w.anyPod(tenant); w.pick(2) == 0 {
			if !w.lives(tenant, uid) {
				w.state.DeletePod(cluster.Key{Namespace: tenant, Name: name}, uid, w.now)
			}
		} else {
			w.state.Lookups().ForgetPod(cluster.Key{Namespace: tenant, Name: name}, uid)
		}
	}
}

// justified reports whether a pod that had an address is gone; or, where pods
// are not listed, whether the slices of the Service that sent the connection
// there said so of a pod that is not there.
func (w *world) justified(addr netip.Addr, via cluster.Key) bool {
	if len(w.dead[addr]) > 0 {
		return true
	}
	if !w.limited || via.Name == "" {
		return false
	}
	for c := range w.said {
		if c.service == via && c.addr == addr && !w.lives(via.Namespace, c.uid) {
			return true
		}
	}
	return false
}

func (w *world) lives(tenant, uid string) bool {
	return slices.ContainsFunc(w.pods, func(p cluster.Pod) bool { return p.Namespace == tenant && p.UID == uid })
}

// evidence is what a connection to an address shows.
func (w *world) evidence(via cluster.Key, b cluster.Backend, idle bool) diagnosis.Evidence {
	e := calico()
	if via.Name == "" {
		headless(&e)
	}
	e.Now, e.Socket.At = w.now, w.now
	e.Socket.Since, e.Socket.LastAck = w.now.Add(-time.Duration(w.pick(20))*time.Second), w.now.Add(-time.Duration(w.pick(60))*time.Second)
	if idle {
		e.Socket.PacketsOut, e.Socket.Retransmits, e.Socket.Timeouts, e.Socket.Unacknowledged, e.Socket.Pending = 0, 0, 0, 0, flow.TimerNone
	}
	e.Backend = b
	return e
}

// TestNobodyIsCalledGoneWithoutAPodThatHadTheAddress plays tenants who write
// what they like.
func TestNobodyIsCalledGoneWithoutAPodThatHadTheAddress(t *testing.T) {
	gone := []flow.Cause{flow.StaleConntrack, flow.PeerDeleted, flow.AddressReused}
	found := map[flow.Cause]int{}
	for seed := range uint64(100) {
		w := &world{
			rand: rand.New(rand.NewPCG(seed, 1)), state: cluster.New(cluster.Options{MaxStaleness: time.Hour}), limited: seed%2 == 1, now: noon,
			dead: map[netip.Addr][]cluster.Key{}, said: map[claimed]bool{},
		}
		if w.limited {
			w.state.LimitPods("node-a")
		}
		w.state.SetHealth(true, "test", noon)
		vias := []netip.AddrPort{{}}
		services := map[netip.AddrPort]cluster.Key{}
		for n, tenant := range tenants {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 96, 0, byte(n)}), 8000)
			vias, services[at] = append(vias, at), cluster.Key{Namespace: tenant, Name: "s"}
			w.state.SetService(cluster.Service{Namespace: tenant, Name: "s", ClusterIPs: []netip.Addr{at.Addr()}, Ports: []uint16{8000}}, noon)
		}
		for range 60 {
			w.step()
			for _, addr := range places {
				for _, at := range vias {
					via := services[at]
					b := w.state.BackendVia(netip.AddrPortFrom(addr, 8000), at, w.now)
					for _, idle := range []bool{false, true} {
						d := diagnosis.Decide(new(w.evidence(via, b, idle)))
						if !slices.Contains(gone, d.Cause) {
							continue
						}
						found[d.Cause]++
						if !w.justified(addr, via) {
							t.Fatalf("seed %d: %s of a connection to %s via %v: %s", seed, d.Cause, addr, via, b.How)
						}
					}
				}
			}
		}
	}
	for _, cause := range gone {
		if found[cause] < 100 {
			t.Errorf("%s was found %d times: the world does not play it", cause, found[cause])
		}
	}
}
