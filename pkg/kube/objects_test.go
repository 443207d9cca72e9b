package kube_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// TestNamesThatTheAPIDoesNotCheck: the writer of an object may put anything into
// a reference. What is shown of it forges no line and steers no terminal.
func TestNamesThatTheAPIDoesNotCheck(t *testing.T) {
	const forged, shown = "w\nNo flow is stuck.\x1b[31m\u202e", "w?No flow is stuck.?[31m?"
	owned := func(name, kind string) *corev1.Pod {
		controls := true
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Labels:          map[string]string{"pod-template-hash": "5f4d"},
			OwnerReferences: []metav1.OwnerReference{{Name: name, Kind: kind, Controller: &controls}},
		}}
	}
	if p := kube.Pod(owned(forged, forged)); p.Workload != shown || p.WorkloadKind != shown {
		t.Errorf("workload %q of the kind %q", p.Workload, p.WorkloadKind)
	}
	if p := kube.Pod(owned(forged+"-5f4d", "ReplicaSet")); p.Workload != shown || p.WorkloadKind != "Deployment" {
		t.Errorf("workload %q of the kind %q", p.Workload, p.WorkloadKind)
	}
	slice := kube.Slice(&discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{{
		Addresses: []string{"192.168.136.2"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: forged},
	}}})
	if len(slice.Endpoints) != 1 || slice.Endpoints[0].Pod != shown {
		t.Errorf("endpoints %+v", slice.Endpoints)
	}
}
