package kube

import (
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// Service converts a Service. It keeps only the TCP ports.
func Service(svc *corev1.Service) cluster.Service {
	s := cluster.Service{Namespace: svc.Namespace, Name: svc.Name, CreatedAt: svc.CreationTimestamp.Time}
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return s
	}
	clusterIPs := svc.Spec.ClusterIPs
	if len(clusterIPs) == 0 {
		clusterIPs = []string{svc.Spec.ClusterIP}
	}
	s.ClusterIPs = addrs(clusterIPs) // "None" is no address
	s.ExternalIPs = addrs(svc.Spec.ExternalIPs)
	for _, in := range svc.Status.LoadBalancer.Ingress {
		s.LoadBalancerIPs = append(s.LoadBalancerIPs, addrs([]string{in.IP})...)
	}
	for _, p := range svc.Spec.Ports {
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			continue
		}
		if port, ok := port(p.Port); ok {
			s.Ports = append(s.Ports, port)
		}
		if port, ok := port(p.NodePort); ok {
			s.NodePorts = append(s.NodePorts, port)
		}
	}
	return s
}

// Slice converts an EndpointSlice. It keeps only the TCP ports, and no endpoints
// of a slice of host names. An absent condition has the value that the API
// documents: ready, not terminating.
func Slice(es *discoveryv1.EndpointSlice) cluster.Slice {
	s := cluster.Slice{
		Namespace: es.Namespace, Name: es.Name, Service: es.Labels[discoveryv1.LabelServiceName], AnyPort: len(es.Ports) == 0,
	}
	for _, p := range es.Ports {
		tcp := p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP
		switch {
		case tcp && p.Port == nil:
			s.AnyPort = true
		case tcp:
			if port, ok := port(*p.Port); ok {
				s.Ports = append(s.Ports, port)
			}
		}
	}
	if es.AddressType == discoveryv1.AddressTypeFQDN {
		return s
	}
	for _, e := range es.Endpoints {
		s.Endpoints = append(s.Endpoints, endpoints(e)...)
	}
	return s
}

func endpoints(e discoveryv1.Endpoint) []cluster.Endpoint {
	c := cluster.Endpoint{
		Ready:       e.Conditions.Ready == nil || *e.Conditions.Ready,
		Terminating: e.Conditions.Terminating != nil && *e.Conditions.Terminating,
	}
	if e.NodeName != nil {
		c.Node = *e.NodeName
	}
	if ref := e.TargetRef; ref != nil && ref.Kind == "Pod" {
		c.Pod, c.PodUID = ref.Name, string(ref.UID)
	}
	var list []cluster.Endpoint
	for _, a := range addrs(e.Addresses) {
		c.Addr = a
		list = append(list, c)
	}
	return list
}

// Pod converts a Pod.
func Pod(pod *corev1.Pod) cluster.Pod {
	p := cluster.Pod{
		Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName,
		HostNetwork: pod.Spec.HostNetwork,
		Finished:    pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed,
		Terminating: pod.DeletionTimestamp != nil,
		CreatedAt:   pod.CreationTimestamp.Time,
	}
	p.Workload, p.WorkloadKind = workload(pod)
	var list []string
	for _, podIP := range pod.Status.PodIPs {
		list = append(list, podIP.IP)
	}
	if len(list) == 0 {
		list = []string{pod.Status.PodIP}
	}
	p.IPs = addrs(list)
	for _, statuses := range [][]corev1.ContainerStatus{
		pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses,
	} {
		for _, st := range statuses {
			if _, id, ok := strings.Cut(st.ContainerID, "://"); ok {
				p.Containers = append(p.Containers, cluster.Container{ID: id, Name: st.Name})
			}
		}
	}
	return p
}

// workload returns the name and kind of a pod's controller. The name of a
// Deployment's ReplicaSet is <deployment>-<pod-template-hash>.
func workload(pod *corev1.Pod) (name, kind string) {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return "", ""
	}
	if hash := pod.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" {
		if deployment, ok := strings.CutSuffix(owner.Name, "-"+hash); ok {
			return deployment, "Deployment"
		}
	}
	return owner.Name, owner.Kind
}

// Node converts a Node.
func Node(node *corev1.Node) cluster.Node {
	n := cluster.Node{Name: node.Name}
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP || a.Type == corev1.NodeExternalIP {
			n.Addrs = append(n.Addrs, addrs([]string{a.Address})...)
		}
	}
	for _, c := range node.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		switch c.Status {
		case corev1.ConditionTrue:
			n.State = cluster.NodeReady
		case corev1.ConditionFalse:
			n.State = cluster.NodeNotReady
		case corev1.ConditionUnknown:
			n.State = cluster.NodeUnreachable
		}
	}
	return n
}

// addrs parses addresses, and skips what is none ("None", "").
func addrs(list []string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, a.Unmap())
		}
	}
	return out
}

func port(n int32) (uint16, bool) { return uint16(n), n > 0 && n <= 65535 }
