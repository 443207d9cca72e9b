package cluster

import (
	"net/netip"
)

// Namespace is the Kubernetes namespace of everything in a cluster.
const Namespace = "default"

// Port is the port of every Service and server.
const Port = 8000

// Service is a Service whose backends are the pods of one workload.
type Service struct {
	Name      string
	UID       string
	ClusterIP netip.Addr // zero: headless
	VIP       netip.Addr // of a load balancer; zero: none
	Workload  string

	nameless bool         // its endpoints are without targetRef
	stopped  bool         // its rules do not change
	stale    []netip.Addr // the targets of its rules then
}

// AddService makes a Service in front of a workload.
func (c *Cluster) AddService(name, workload string, headless bool) (*Service, error) {
	s := &Service{Name: name, UID: newUID(), Workload: workload}
	if !headless {
		s.ClusterIP = host(c.plan.services, 10+c.made)
	}
	c.made++
	c.mu.Lock()
	c.svcs = append(c.svcs, s)
	c.mu.Unlock()
	if headless {
		c.report("service %s has no ClusterIP", name)
	} else {
		c.report("service %s has ClusterIP %s", name, s.ClusterIP)
	}
	return s, c.publish()
}

// Address returns the address that clients connect to. A headless Service has none.
func (s *Service) Address() string {
	if !s.ClusterIP.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(s.ClusterIP, Port).String()
}

// backends returns the pods behind a service. The caller holds a.mu.
func (a *api) backends(s *Service) []*Pod {
	var found []*Pod
	for _, p := range a.pods {
		if p.Workload == s.Workload {
			found = append(found, p)
		}
	}
	return found
}

// targets returns the targets of new connections to a service: its ready backends or, if
// there are none, its terminating ones. The caller holds a.mu.
func (a *api) targets(s *Service) []netip.Addr {
	if s.stopped {
		return s.stale
	}
	var ready, terminating []netip.Addr
	for _, p := range a.backends(s) {
		if p.deleting == nil {
			ready = append(ready, p.Addr)
		} else {
			terminating = append(terminating, p.Addr)
		}
	}
	if len(ready) > 0 {
		return ready
	}
	return terminating
}
