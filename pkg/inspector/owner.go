package inspector

import (
	"cmp"
	"errors"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/owner"
)

const (
	ownerAge  = 500 * time.Millisecond
	maxOwners = 1024
	hiddenFor = time.Minute // a process that /proc did not show tells of it
)

type ownerAnswer struct {
	owner flow.Owner
	err   error
	at    time.Time
}

// askOwner fills in the process that holds a socket, its user, and its pod.
func (i *Inspector) askOwner(e *diagnosis.Evidence) {
	s := e.Socket
	local := flow.Local{Addr: s.Local, PID: s.PID, Started: s.Started, Comm: s.Comm}
	if s.PID == 0 { // a snapshot from before the sweep
		local.PID, local.Started, local.Comm = e.Local.PID, e.Local.Started, e.Local.Comm
	}
	process, err := i.lookUpOwner(flow.Process{PID: local.PID, Started: local.Started})
	if errors.Is(err, owner.ErrGone) {
		local.PID, local.Started, local.Comm = 0, 0, ""
	}
	if process.PodUID == "" && e.PodUID == "" && !i.o.Places.Knows(s.NetNS) && !i.sought[s.NetNS] {
		i.sought[s.NetNS] = true // once between two sweeps: nobody may live there any more
		i.learnPlaces()
	}
	// Once proven it stays so: a socket outlives its process.
	e.User = cmp.Or(process.User, e.User)
	e.PodUID = cmp.Or(process.PodUID, e.PodUID, i.o.Places.Pod(s.NetNS))
	if was := e.Local; e.PodUID != "" && was.PodUID == e.PodUID {
		// Its record may have gone, and its address may be another pod's.
		local.Namespace, local.Pod, local.PodUID = was.Namespace, was.Pod, was.PodUID
		local.Workload, local.WorkloadKind, local.Container = was.Workload, was.WorkloadKind, was.Container
	}
	if pod, ok := podOf(i.o.Cluster, i.o.Places, i.o.HostNetNS, s, e.PodUID); ok && (local.PodUID == "" || local.PodUID == pod.UID) {
		local.Namespace, local.Pod, local.PodUID = pod.Namespace, pod.Name, pod.UID
		local.Workload, local.WorkloadKind = pod.Workload, pod.WorkloadKind
		local.Container = cmp.Or(pod.Container(process.Container), local.Container)
	}
	e.Local = local
}

// podOf returns the pod that a socket is in: the one with podUID, which its
// process or its network namespace has proven. Without a proof, its local
// address names a pod in that pod's own network namespace: not in the node's,
// not where it is no address at all, and not where the pod does not live.
func podOf(c Cluster, places Places, host uint32, s flow.Socket, podUID string) (cluster.Pod, bool) {
	if podUID != "" {
		if pod, ok := c.PodByUID(podUID); ok {
			return pod, true
		}
	}
	// No record has this UID: a static pod's is a hash that the API does not
	// know, and what runs a node in a pod is in no list of that node.
	if s.NetNS == host || s.Foreign {
		return cluster.Pod{}, false
	}
	pod, ok := c.PodByIP(s.Local.Addr())
	if !ok || places.Elsewhere(pod.UID, s.NetNS) {
		return cluster.Pod{}, false
	}
	return pod, true
}

// lookUpOwner asks where a process runs; the many flows of one process share
// an answer.
func (i *Inspector) lookUpOwner(p flow.Process) (flow.Owner, error) {
	if p.PID == 0 || i.o.Owners == nil {
		return flow.Owner{}, nil
	}
	began := time.Now()
	a, ok := i.owners[p]
	if ok && began.Sub(a.at) < ownerAge {
		return a.owner, a.err
	}
	process, err := i.o.Owners.Lookup(p)
	failed := err
	if errors.Is(err, owner.ErrGone) {
		failed = nil // that is an answer
	}
	i.o.Meter.Lookup(flow.SourceOwner, time.Since(began), failed)
	if errors.Is(err, owner.ErrHidden) {
		i.hiddenAt = began
	}
	if len(i.owners) >= maxOwners {
		clear(i.owners)
	}
	i.owners[p] = ownerAnswer{owner: process, err: err, at: began}
	return process, err
}

// learnPlaces looks which network namespaces are pods', within the budget of
// the sweeps.
func (i *Inspector) learnPlaces() {
	now := time.Now()
	if !i.sweeps.allows(now) {
		return
	}
	var err error
	worked := cpuTimeOf(func() { err = i.o.Places.Refresh(now) })
	i.sweeps.spend(worked, time.Now())
	if err != nil {
		i.sawKernel(err)
	}
}

// ownerHealth: what hides processes hides them when nothing is stuck, too.
func (i *Inspector) ownerHealth(now time.Time) flow.Health {
	h := flow.Health{Source: flow.SourceOwner, Up: true, LastSync: now}
	err := i.o.Owners.Check()
	if err == nil && now.Sub(i.hiddenAt) < hiddenFor {
		err = owner.ErrHidden
	}
	if err != nil {
		h.Up, h.Detail, h.LastSync = false, err.Error(), i.ownersAt
	}
	i.ownersAt = h.LastSync
	return h
}

// nowhere proves nothing.
type nowhere struct{}

func (nowhere) Pod(uint32) string             { return "" }
func (nowhere) Elsewhere(string, uint32) bool { return false }
func (nowhere) Knows(uint32) bool             { return true }
func (nowhere) Refresh(time.Time) error       { return nil }
