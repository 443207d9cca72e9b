package cluster

import (
	"slices"
	"syscall"
	"time"
)

// What follows changes what the API says of a pod. The pod itself lives on.

// RemoveService deletes a Service and its slices.
func (c *Cluster) RemoveService(s *Service) error {
	return c.revise(func() {
		c.svcs = slices.DeleteFunc(c.svcs, func(other *Service) bool { return other == s })
	}, "service %s is deleted", s.Name)
}

// Relabel gives a pod the label of another workload, so that Services no longer select it,
// or select it again.
func (c *Cluster) Relabel(p *Pod, workload string) error {
	return c.revise(func() { p.Workload = workload }, "pod %s is labelled app=%s", p.Name, workload)
}

// ReturnService creates a deleted Service again, with the ClusterIP that it had.
func (c *Cluster) ReturnService(s *Service) error {
	return c.revise(func() {
		s.UID = newUID()
		c.svcs = append(c.svcs, s)
	}, "service %s is created again, with ClusterIP %s", s.Name, s.ClusterIP)
}

// SayTerminating makes the endpoints of a pod say that it is terminating, or that it is
// not. The pod's own record does not change, and neither do the rules.
func (c *Cluster) SayTerminating(p *Pod, terminating bool) error {
	c.mu.Lock()
	p.doubted = terminating
	c.mu.Unlock()
	c.report("the endpoints of %s say terminating=%t", p.Name, terminating)
	return c.writeState()
}

// RenewSlice gives a Service's endpoints a slice of another name.
func (c *Cluster) RenewSlice(s *Service) error {
	return c.revise(func() { s.UID = newUID() }, "service %s has another slice", s.Name)
}

// NameNoPods removes the pods' names from a Service's endpoints.
func (c *Cluster) NameNoPods(s *Service) error {
	return c.revise(func() { s.nameless = true }, "the endpoints of %s name no pods", s.Name)
}

// DeleteObject deletes the API object of a pod that runs on.
func (c *Cluster) DeleteObject(p *Pod) error {
	if err := c.forget(p); err != nil {
		return err
	}
	c.report("the API has forgotten pod %s, which runs on", p.Name)
	return c.syncProxies()
}

// Terminate begins a graceful deletion, and waits for nothing.
func (c *Cluster) Terminate(p *Pod) error {
	c.mu.Lock()
	asked := time.Now()
	p.deleting = &asked
	c.mu.Unlock()
	if err := c.publish(); err != nil {
		return err
	}
	c.report("pod %s is terminating", p.Name)
	return p.Echo.Signal(syscall.SIGTERM)
}
