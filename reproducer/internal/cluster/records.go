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

// Relabel gives a pod the label of another workload, so that Services select
// it no more, or again.
func (c *Cluster) Relabel(p *Pod, workload string) error {
	return c.revise(func() { p.Workload = workload }, "pod %s is labelled app=%s", p.Name, workload)
}

// ReturnService creates a deleted Service again, with the ClusterIP that it had.
func (c *Cluster) ReturnService(s *Service) error {
	return c.revise(func() {
		s.UID = newUID()
		c.svcs = append(c.svcs, s)
	}, "service %s is made anew, with ClusterIP %s", s.Name, s.ClusterIP)
}

// SayTerminating has the endpoints of a pod say that it is terminating, or that
// it is not. The pod's own record says nothing of it, and no rules follow.
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

// NameNoPods leaves out, of a Service's endpoints, which pods they are.
func (c *Cluster) NameNoPods(s *Service) error {
	return c.revise(func() { s.nameless = true }, "the endpoints of %s name no pods", s.Name)
}

// DeleteObject has the API forget a pod that runs on.
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
