package kube_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestBackends plays what becomes of a backend on another node. Only a pod
// that is gone may be called deleted.
func TestBackends(t *testing.T) {
	for name, gates := range map[string][]string{"streaming lists": nil, "whole lists": {"feature-gates=WatchList=false"}} {
		t.Run(name, func(t *testing.T) {
			e := start(t, gates...)
			e.node(t, "node-a", "172.18.0.2")
			e.node(t, "node-b", "172.18.0.3")
			e.pod(t, "before", "node-b", "10.1.0.9")
			s := follow(t, e.kubeconfig(t, "", nil))
			t.Logf("synced after %s", s.awaitUp(t, true))
			for name, play := range map[string]func(*testing.T, *environment, source){
				"forced deletion": forced, "forced deletion of a terminating pod": forcedTerminating, "graceful deletion": graceful,
				"service deleted and recreated": serviceDeleted, "relabelled": relabelled, "slice move": sliceMove,
				"no targetRef": noTargetRef, "host network restart": hostNetwork, "finished": finished, "address reused": reused,
				"recreated under its name": recreated, "read by nobody": unread, "this node's pods": local,
			} {
				t.Run(name, func(t *testing.T) { play(t, e, s) })
			}
		})
	}
}

func forced(t *testing.T, e *environment, s source) {
	p := e.pod(t, "forced", "node-b", "10.1.1.1")
	e.service(t, "forced", "")
	e.slice(t, "forced-x", "forced", endpoint(p))
	s.awaitState(t, "10.1.1.1:8000", flow.BackendListed)
	s.awaitRead(t, "10.1.1.1:8000")
	e.deletePod(t, p.Name, 0)
	s.never(t, "10.1.1.1:8000", flow.BackendDeleted, 100*time.Millisecond) // only the slice says so
	e.slice(t, "forced-x", "forced")
	took := s.awaitState(t, "10.1.1.1:8000", flow.BackendDeleted)
	b := s.backend("10.1.1.1:8000")
	t.Logf("deleted after %s: %s", took, b.How)
	if took > time.Second || b.Pod != "forced" || b.Node != "node-b" || b.NodeState != "ready" {
		t.Errorf("%+v", b)
	}
}

func forcedTerminating(t *testing.T, e *environment, s source) {
	p := e.pod(t, "terminating", "node-b", "10.1.2.1")
	e.slice(t, "terminating-x", "terminating", endpoint(p))
	s.awaitState(t, "10.1.2.1:8000", flow.BackendListed)
	e.deletePod(t, p.Name, 30)
	p = must[*corev1.Pod](t)(e.admin.CoreV1().Pods(namespace).Get(t.Context(), p.Name, metav1.GetOptions{}))
	e.slice(t, "terminating-x", "terminating", endpoint(p))
	s.awaitState(t, "10.1.2.1:8000", flow.BackendTerminating)
	s.never(t, "10.1.2.1:8000", flow.BackendDeleted, 200*time.Millisecond)
	e.deletePod(t, p.Name, 0)
	s.never(t, "10.1.2.1:8000", flow.BackendDeleted, 200*time.Millisecond) // a slice still names it
}

func graceful(t *testing.T, e *environment, s source) {
	p := e.pod(t, "graceful", "node-b", "10.1.3.1")
	e.slice(t, "graceful-x", "graceful", endpoint(p))
	s.awaitState(t, "10.1.3.1:8000", flow.BackendListed)
	s.awaitRead(t, "10.1.3.1:8000")
	e.deletePod(t, p.Name, 30)
	e.slice(t, "graceful-x", "graceful") // already
	s.awaitState(t, "10.1.3.1:8000", flow.BackendTerminating)
	s.never(t, "10.1.3.1:8000", flow.BackendDeleted, 200*time.Millisecond)
	e.deletePod(t, p.Name, 0) // as the kubelet ends it
	s.awaitState(t, "10.1.3.1:8000", flow.BackendDeleted)
}

func serviceDeleted(t *testing.T, e *environment, s source) {
	p := e.pod(t, "svc", "node-b", "10.1.4.1")
	e.service(t, "svc", "10.0.0.44")
	e.slice(t, "svc-x", "svc", endpoint(p))
	s.awaitState(t, "10.1.4.1:8000", flow.BackendListed)
	if err := e.admin.CoreV1().Services(namespace).Delete(t.Context(), "svc", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	e.deleteSlice(t, "svc-x")
	s.awaitState(t, "10.1.4.1:8000", flow.BackendUnlisted)
	s.never(t, "10.1.4.1:8000", flow.BackendDeleted, 200*time.Millisecond)
	e.service(t, "again", "10.0.0.44")
	e.slice(t, "again-x", "again", endpoint(p))
	s.awaitState(t, "10.1.4.1:8000", flow.BackendListed)
}

func relabelled(t *testing.T, e *environment, s source) {
	p := e.pod(t, "relabelled", "node-b", "10.1.5.1")
	e.slice(t, "relabelled-x", "relabelled", endpoint(p))
	s.awaitState(t, "10.1.5.1:8000", flow.BackendListed)
	s.awaitRead(t, "10.1.5.1:8000")
	e.slice(t, "relabelled-x", "relabelled")
	s.awaitState(t, "10.1.5.1:8000", flow.BackendUnlisted)
	s.never(t, "10.1.5.1:8000", flow.BackendDeleted, 300*time.Millisecond)
	e.deletePod(t, p.Name, 0) // and later it really goes
	took := s.awaitState(t, "10.1.5.1:8000", flow.BackendDeleted)
	t.Logf("deleted after %s", took)
}

func sliceMove(t *testing.T, e *environment, s source) {
	p := e.pod(t, "moved", "node-b", "10.1.6.1")
	e.slice(t, "moved-x", "moved", endpoint(p))
	s.awaitState(t, "10.1.6.1:8000", flow.BackendListed)
	e.slice(t, "moved-x", "moved")
	e.slice(t, "moved-y", "moved", endpoint(p))
	s.never(t, "10.1.6.1:8000", flow.BackendDeleted, 200*time.Millisecond)
	s.awaitState(t, "10.1.6.1:8000", flow.BackendListed)
}

// noTargetRef plays an endpoint without a pod. Any tenant may list any address, so
// it counts only for the connections that its Service sent there.
func noTargetRef(t *testing.T, e *environment, s source) {
	backend, service := netip.MustParseAddrPort("10.1.7.1:8000"), netip.MustParseAddrPort("10.0.0.66:8000")
	state := func() flow.BackendState { return s.BackendVia(backend, service, time.Now()).State }
	e.service(t, "bare", service.Addr().String())
	e.slice(t, "bare-x", "bare", discoveryv1.Endpoint{Addresses: []string{"10.1.7.1"}})
	await(t, "it is listed", func() bool { return state() == flow.BackendListed })
	if b := s.backend(backend.String()); b.State != flow.BackendUnknown {
		t.Errorf("without the Service: %s: %s", b.State, b.How)
	}
	e.slice(t, "bare-x", "bare")
	await(t, "it is not listed", func() bool { return state() == flow.BackendUnlisted })
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got := state(); got != flow.BackendUnlisted {
			t.Fatalf("it is %s", got)
		}
	}
}

func hostNetwork(t *testing.T, e *environment, s source) {
	host := func(p *corev1.Pod) {
		p.Spec.HostNetwork = true
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8000, HostPort: 8000}}
	}
	p := e.pod(t, "host-1", "node-b", "172.18.0.3", host)
	e.slice(t, "host-x", "host", endpoint(p))
	s.awaitState(t, "172.18.0.3:8000", flow.BackendListed)
	e.deletePod(t, p.Name, 0)
	e.slice(t, "host-x", "host")
	s.awaitState(t, "172.18.0.3:8000", flow.BackendUnlisted)
	s.never(t, "172.18.0.3:8000", flow.BackendDeleted, 300*time.Millisecond)
	p = e.pod(t, "host-2", "node-b", "172.18.0.3", host)
	e.slice(t, "host-x", "host", endpoint(p))
	s.awaitState(t, "172.18.0.3:8000", flow.BackendListed)
}

func finished(t *testing.T, e *environment, s source) {
	p := e.pod(t, "finished", "node-b", "10.1.8.1")
	e.slice(t, "finished-x", "finished", endpoint(p))
	s.awaitState(t, "10.1.8.1:8000", flow.BackendListed)
	s.awaitRead(t, "10.1.8.1:8000")
	p.Status.Phase = corev1.PodSucceeded
	must[*corev1.Pod](t)(e.admin.CoreV1().Pods(namespace).UpdateStatus(t.Context(), p, metav1.UpdateOptions{}))
	e.slice(t, "finished-x", "finished")
	s.awaitState(t, "10.1.8.1:8000", flow.BackendDeleted)
}

func reused(t *testing.T, e *environment, s source) {
	p := e.pod(t, "old", "node-b", "10.1.9.1")
	e.slice(t, "reused-x", "reused", endpoint(p))
	s.awaitState(t, "10.1.9.1:8000", flow.BackendListed)
	s.awaitRead(t, "10.1.9.1:8000")
	e.deletePod(t, p.Name, 0)
	p = e.pod(t, "new", "node-b", "10.1.9.1")
	e.slice(t, "reused-x", "reused", endpoint(p))
	await(t, "both pods are known", func() bool {
		b := s.backend("10.1.9.1:8000")
		return b.State == flow.BackendListed && b.Pod == "new" && !b.CreatedAt.IsZero() && b.Former != nil && b.Former.Pod == "old"
	})
}

func recreated(t *testing.T, e *environment, s source) {
	p := e.pod(t, "db-0", "node-b", "10.1.10.1")
	e.slice(t, "db-x", "db", endpoint(p))
	s.awaitState(t, "10.1.10.1:8000", flow.BackendListed)
	s.awaitRead(t, "10.1.10.1:8000")
	e.deletePod(t, p.Name, 0)
	p = e.pod(t, "db-0", "node-b", "10.1.10.2")
	e.slice(t, "db-x", "db", endpoint(p))
	s.awaitState(t, "10.1.10.1:8000", flow.BackendDeleted)
	if b := s.backend("10.1.10.2:8000"); b.State != flow.BackendListed {
		t.Errorf("its successor: %+v", b)
	}
}

// unread plays a pod that was gone before its record was read: it is deleted
// only for the connections of the Service whose slice named it.
func unread(t *testing.T, e *environment, s source) {
	p := e.pod(t, "unread", "node-b", "10.1.11.1")
	e.service(t, "unread", "10.0.0.55")
	e.slice(t, "unread-x", "unread", endpoint(p))
	await(t, "its slice", func() bool { svc, _ := s.Service(netip.MustParseAddrPort("10.0.0.55:8000")); return svc.Backends == 1 })
	e.deletePod(t, p.Name, 0)
	e.slice(t, "unread-x", "unread")
	backend := netip.MustParseAddrPort("10.1.11.1:8000")
	await(t, "who was sent there knows", func() bool {
		return s.BackendVia(backend, netip.MustParseAddrPort("10.0.0.55:8000"), time.Now()).State == flow.BackendDeleted
	})
	if b := s.backend(backend.String()); b.State != flow.BackendUnknown || b.Pod != "" {
		t.Errorf("%s: %s", b.State, b.How)
	}
}

// local follows this node's own pods, by their workload's name.
func local(t *testing.T, e *environment, s source) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Name: "backup-28000", Namespace: namespace,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "CronJob", Name: "backup", UID: "u", Controller: new(true)}},
	}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "c", Image: "i"}},
	}}}}
	must[*batchv1.Job](t)(e.admin.BatchV1().Jobs(namespace).Create(t.Context(), job, metav1.CreateOptions{}))
	for ip, want := range map[string]struct{ pod, ownerKind, owner, kind, workload string }{
		"10.2.0.1": {"client-6d4cf56db6-abcde", "ReplicaSet", "client-6d4cf56db6", "Deployment", "client"},
		"10.2.0.2": {"backup-28000-abcde", "Job", "backup-28000", "CronJob", "backup"},
		"10.2.0.3": {"lone-28001-abcde", "Job", "lone-28001", "Job", "lone-28001"},
	} {
		p := e.pod(t, want.pod, "node-a", ip, controller(want.ownerKind, want.owner))
		await(t, want.workload, func() bool {
			got, ok := s.PodByUID(string(p.UID))
			return ok && got.Workload == want.workload && got.WorkloadKind == want.kind && len(got.IPs) == 1
		})
		e.deletePod(t, want.pod, 0)
		if took := s.awaitState(t, ip+":1", flow.BackendDeleted); took > time.Second {
			t.Errorf("seen to go after %s", took)
		}
	}
	if strings.Contains(s.log.String(), "before") {
		t.Error("a pod of another node was asked for, though nothing names it")
	}
}
