package cluster

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// objects returns the API objects of the cluster as a client of the API sees
// them: services, endpoint slices, pods, nodes. The caller holds a.mu.
func (a *api) objects() []any {
	var all []any
	for _, s := range a.svcs {
		all = append(all, a.serviceObject(s))
	}
	for _, s := range a.svcs {
		all = append(all, a.sliceObject(s))
	}
	for _, p := range a.pods {
		all = append(all, a.podObject(p))
	}
	for _, n := range a.net.Nodes {
		all = append(all, a.nodeObject(n))
	}
	return all
}

func (a *api) serviceObject(s *Service) *corev1.Service {
	clusterIP := corev1.ClusterIPNone
	if s.ClusterIP.IsValid() {
		clusterIP = s.ClusterIP.String()
	}
	svc := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: s.Name, Namespace: Namespace, UID: types.UID(s.UID), CreationTimestamp: metav1.NewTime(a.started)},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: clusterIP, ClusterIPs: []string{clusterIP},
			IPFamilies: []corev1.IPFamily{a.ipFamily()},
			Selector:   map[string]string{"app": s.Workload},
			Ports:      []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: Port, TargetPort: intstr.FromInt32(Port)}},
		},
	}
	if s.VIP.IsValid() {
		svc.Spec.Type = corev1.ServiceTypeLoadBalancer
		svc.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: s.VIP.String()}}
	}
	return svc
}

func (a *api) sliceObject(s *Service) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Name: s.Name + "-" + hash(s.UID)[:5], Namespace: Namespace,
			Labels:            map[string]string{discoveryv1.LabelServiceName: s.Name},
			CreationTimestamp: metav1.NewTime(a.started),
			OwnerReferences:   owner("v1", "Service", s.Name, s.UID),
		},
		AddressType: discoveryv1.AddressType(a.ipFamily()),
		Ports:       []discoveryv1.EndpointPort{{Name: new(""), Protocol: new(corev1.ProtocolTCP), Port: new(int32(Port))}},
		Endpoints:   []discoveryv1.Endpoint{},
	}
	for _, p := range a.backends(s) {
		terminating := p.deleting != nil || p.doubted
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{p.Addr.String()},
			Conditions: discoveryv1.EndpointConditions{Ready: new(!terminating), Serving: new(true), Terminating: new(terminating)},
			NodeName:   new(p.Node.Name),
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: Namespace, Name: p.Name, UID: types.UID(p.UID)},
		})
	}
	if s.nameless {
		for i := range slice.Endpoints {
			slice.Endpoints[i].TargetRef = nil
		}
	}
	return slice
}

func (a *api) podObject(p *Pod) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: p.Name, Namespace: Namespace, UID: types.UID(p.UID), CreationTimestamp: metav1.NewTime(p.created),
			Labels:          map[string]string{"app": p.Workload, "pod-template-hash": hash(p.Workload)},
			OwnerReferences: owner("apps/v1", "ReplicaSet", p.replicaSet, ""),
		},
		Spec: corev1.PodSpec{
			NodeName: p.Node.Name, HostNetwork: p.link == "",
			Containers: []corev1.Container{{Name: p.Workload, Image: "localhost/echo"}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, HostIP: p.Node.Addr.String(), PodIP: p.Addr.String(),
			PodIPs:     []corev1.PodIP{{IP: p.Addr.String()}},
			StartTime:  new(metav1.NewTime(p.created)),
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	if p.deleting != nil {
		pod.DeletionTimestamp = new(metav1.NewTime(*p.deleting))
	}
	return pod
}

func (a *api) nodeObject(n *Node) *corev1.Node {
	return &corev1.Node{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, CreationTimestamp: metav1.NewTime(a.started)},
		Spec:       corev1.NodeSpec{PodCIDR: n.Block.String(), PodCIDRs: []string{n.Block.String()}},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: n.Addr.String()},
				{Type: corev1.NodeHostName, Address: n.Name},
			},
			Conditions: []corev1.NodeCondition{readyCondition(n)},
		},
	}
}

func readyCondition(n *Node) corev1.NodeCondition {
	if n.lost {
		return corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown"}
	}
	return corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady"}
}

func (a *api) ipFamily() corev1.IPFamily {
	if a.net.family4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

func owner(version, kind, name, uid string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, UID: types.UID(uid), Controller: new(true)}}
}
