package kube_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const namespace = "default"

// must returns v, or ends the test.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (e *environment) node(t testing.TB, name, addr string) {
	t.Helper()
	n := must[*corev1.Node](t)(e.admin.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}))
	n.Status = corev1.NodeStatus{
		Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: addr}},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}
	must[*corev1.Node](t)(e.admin.CoreV1().Nodes().UpdateStatus(t.Context(), n, metav1.UpdateOptions{}))
}

// pod starts a pod: as scheduler and kubelet would.
func (e *environment) pod(t testing.TB, name, node, ip string, change ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{"app": "server"}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "echo", Image: "localhost/echo"}}},
	}
	for _, c := range change {
		c(p)
	}
	p = must[*corev1.Pod](t)(e.admin.CoreV1().Pods(namespace).Create(t.Context(), p, metav1.CreateOptions{}))
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}}
	return must[*corev1.Pod](t)(e.admin.CoreV1().Pods(namespace).UpdateStatus(t.Context(), p, metav1.UpdateOptions{}))
}

// controller gives a pod one.
func controller(kind, name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: kind, Name: name, UID: "u", Controller: new(true)}}
		p.Labels["pod-template-hash"] = "6d4cf56db6"
	}
}

// deletePod asks for a pod's deletion: with 0, forced, it is gone at once,
// else it terminates for ever, since no kubelet ends it.
func (e *environment) deletePod(t testing.TB, name string, graceSeconds int64) {
	t.Helper()
	if err := e.admin.CoreV1().Pods(namespace).Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: &graceSeconds}); err != nil {
		t.Fatal(err)
	}
}

func (e *environment) service(t testing.TB, name, clusterIP string) {
	t.Helper()
	must[*corev1.Service](t)(e.admin.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       corev1.ServiceSpec{ClusterIP: clusterIP, Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: 8000}}},
	}, metav1.CreateOptions{}))
}

func endpoint(p *corev1.Pod) discoveryv1.Endpoint {
	return discoveryv1.Endpoint{
		Addresses: []string{p.Status.PodIP}, NodeName: &p.Spec.NodeName,
		Conditions: discoveryv1.EndpointConditions{Ready: new(p.DeletionTimestamp == nil), Terminating: new(p.DeletionTimestamp != nil)},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
	}
}

// slice writes a slice, new or not: as the endpoint slice controller would.
func (e *environment) slice(t testing.TB, name, service string, endpoints ...discoveryv1.Endpoint) {
	t.Helper()
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: endpoints,
		Ports: []discoveryv1.EndpointPort{{Name: new(""), Protocol: new(corev1.ProtocolTCP), Port: new(int32(8000))}},
	}
	slices := e.admin.DiscoveryV1().EndpointSlices(namespace)
	if old, err := slices.Get(t.Context(), name, metav1.GetOptions{}); err == nil {
		s.ResourceVersion = old.ResourceVersion
		must[*discoveryv1.EndpointSlice](t)(slices.Update(t.Context(), s, metav1.UpdateOptions{}))
		return
	}
	must[*discoveryv1.EndpointSlice](t)(slices.Create(t.Context(), s, metav1.CreateOptions{}))
}

func (e *environment) deleteSlice(t testing.TB, name string) {
	t.Helper()
	if err := e.admin.DiscoveryV1().EndpointSlices(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
