package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// Key names an object of a namespace.
type Key struct{ Namespace, Name string }

// String returns the key as namespace/name.
func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Pod is what is kept of a pod.
type Pod struct {
	Namespace, Name string
	UID             string
	Node            string
	IPs             []netip.Addr // status.podIPs, dual stack
	HostNetwork     bool         // its addresses are its node's
	Finished        bool         // Succeeded or Failed: it keeps its addresses and is not alive
	Terminating     bool         // it has a deletionTimestamp
	Workload        string       // name of the controller; of the Deployment, not of its ReplicaSet
	WorkloadKind    string
	CreatedAt       time.Time
	// Containers of the pod. A State keeps them for the pods of its own node
	// only: no process of another pod runs there.
	Containers []Container
}

// Container is one container of a pod.
type Container struct {
	ID   string // without the runtime's scheme
	Name string
}

// Key returns the pod's namespace and name.
func (p Pod) Key() Key { return Key{p.Namespace, p.Name} }

// Container returns the name of the container with that id, or "".
func (p Pod) Container(id string) string {
	for _, c := range p.Containers {
		if c.ID == id {
			return c.Name
		}
	}
	return ""
}

func (p Pod) equal(q Pod) bool {
	return p.Namespace == q.Namespace && p.Name == q.Name && p.UID == q.UID && p.Node == q.Node &&
		p.HostNetwork == q.HostNetwork && p.Finished == q.Finished && p.Terminating == q.Terminating &&
		p.Workload == q.Workload && p.WorkloadKind == q.WorkloadKind && p.CreatedAt.Equal(q.CreatedAt) &&
		slices.Equal(p.IPs, q.IPs) && slices.Equal(p.Containers, q.Containers)
}

// Slice is what is kept of an EndpointSlice.
type Slice struct {
	Namespace, Name string
	Service         string   // the Service in the same namespace that it belongs to; may be empty
	Ports           []uint16 // TCP ports
	AnyPort         bool     // the slice names no ports: it is for every port
	Endpoints       []Endpoint
}

// Key returns the slice's namespace and name.
func (s Slice) Key() Key { return Key{s.Namespace, s.Name} }

func (s Slice) serviceKey() Key { return Key{s.Namespace, s.Service} }

// service returns the Service as namespace/name, or the slice where no Service
// owns it.
func (s Slice) service() string {
	if s.Service == "" {
		return "slice " + s.Key().String()
	}
	return s.Namespace + "/" + s.Service
}

// serves reports whether the slice is for a port.
func (s Slice) serves(port uint16) bool { return s.AnyPort || slices.Contains(s.Ports, port) }

func (s Slice) equal(t Slice) bool {
	return s.Namespace == t.Namespace && s.Name == t.Name && s.Service == t.Service && s.AnyPort == t.AnyPort &&
		slices.Equal(s.Ports, t.Ports) && slices.Equal(s.Endpoints, t.Endpoints)
}

// Endpoint is one address of a slice.
type Endpoint struct {
	Addr        netip.Addr
	Node        string
	Pod, PodUID string // the pod that targetRef names, in the slice's namespace; empty: none
	Ready       bool
	Terminating bool
}

// Service is what is kept of a Service. A headless one has no address.
type Service struct {
	Namespace, Name string
	ClusterIPs      []netip.Addr
	ExternalIPs     []netip.Addr
	LoadBalancerIPs []netip.Addr
	Ports           []uint16 // TCP
	NodePorts       []uint16 // TCP
	CreatedAt       time.Time
}

// Key returns the service's namespace and name.
func (s Service) Key() Key { return Key{s.Namespace, s.Name} }

func (s Service) equal(t Service) bool {
	return s.Namespace == t.Namespace && s.Name == t.Name && s.CreatedAt.Equal(t.CreatedAt) &&
		slices.Equal(s.ClusterIPs, t.ClusterIPs) && slices.Equal(s.ExternalIPs, t.ExternalIPs) &&
		slices.Equal(s.LoadBalancerIPs, t.LoadBalancerIPs) &&
		slices.Equal(s.Ports, t.Ports) && slices.Equal(s.NodePorts, t.NodePorts)
}

// Node is what is kept of a node.
type Node struct {
	Name  string
	Addrs []netip.Addr
	State NodeState
}

func (n Node) equal(m Node) bool {
	return n.Name == m.Name && n.State == m.State && slices.Equal(n.Addrs, m.Addrs)
}

// NodeState is the condition of a node. The empty string means that it is not
// known.
type NodeState string

// The node states.
const (
	NodeReady       NodeState = "ready"
	NodeNotReady    NodeState = "not ready"
	NodeUnreachable NodeState = "unreachable" // its kubelet does not report any more (Ready is Unknown)
	NodeDeleted     NodeState = "deleted"     // it was in the list, and was deleted
)

// Objects is one whole reading of the cluster. A kind that the reading does
// not contain stays as it was.
type Objects struct {
	Services []Service
	Slices   []Slice
	Pods     []Pod
	Nodes    []Node

	HasServices, HasSlices, HasPods, HasNodes bool // the reading contains that kind
}
