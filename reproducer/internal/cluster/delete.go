package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// How long the parts of a cluster take to follow a forced deletion, as measured with a
// real kubelet and Calico.
const (
	routeCutDelay = 15 * time.Millisecond
	killDelay     = 2 * time.Second
	teardownDelay = 250 * time.Millisecond // from a process's end to its network's
)

// Removal is when the parts of a pod went.
type Removal struct {
	Object time.Time // the API object and its endpoint
	Route  time.Time // the route to it: nothing gets through from now on
}

// ForceDelete deletes a pod without grace. The API forgets it first; ~15 ms
// later its route and link are cut, and only 2 s after that its process is
// killed; no peer gets its last segments. It returns when the route is cut.
func (c *Cluster) ForceDelete(p *Pod) (Removal, error) {
	if err := c.forget(p); err != nil {
		return Removal{}, err
	}
	r := Removal{Object: time.Now()}
	c.report("pod %s is force-deleted: the API has forgotten it", p.Name)
	<-time.After(time.Until(r.Object.Add(routeCutDelay)))
	if err := unlink(p); err != nil {
		return r, err
	}
	r.Route = time.Now()
	c.report("the route to %s is cut", p.Addr)
	if err := c.syncProxies(); err != nil { // the slowest to follow
		return r, err
	}
	if err := p.Echo.Signal(syscall.SIGTERM); err != nil {
		return r, err
	}
	c.background.Go(func() {
		select {
		case <-time.After(killDelay):
			c.report("the process of %s is killed; its FIN finds no way out", p.Name)
		case <-c.ctx.Done():
		}
		// If this fails, it fails again in Close, which reports it.
		_ = p.Echo.Kill()
	})
	return r, nil
}

// GracefulDelete deletes a pod as a rolling update does: its endpoint becomes
// terminating, the process gets SIGTERM and all the grace that it needs, and
// only then its network and its object go.
func (c *Cluster) GracefulDelete(ctx context.Context, p *Pod, grace time.Duration) (Removal, error) {
	c.mu.Lock()
	asked := time.Now()
	p.deleting = &asked
	c.mu.Unlock()
	if err := c.publish(); err != nil {
		return Removal{}, err
	}
	c.report("pod %s is terminating", p.Name)
	if err := p.Echo.Signal(syscall.SIGTERM); err != nil {
		return Removal{}, err
	}
	select {
	case <-p.Echo.Done():
		c.report("the process of %s has ended", p.Name)
	case <-time.After(grace):
		c.report("the process of %s is killed after %s of grace", p.Name, grace)
		if err := p.Echo.Kill(); err != nil {
			return Removal{}, err
		}
	case <-ctx.Done():
		return Removal{}, fmt.Errorf("wait for %s to end: %w", p.Name, ctx.Err())
	}
	<-time.After(teardownDelay)
	if err := unlink(p); err != nil {
		return Removal{}, err
	}
	r := Removal{Route: time.Now()}
	if err := c.forget(p); err != nil {
		return r, err
	}
	r.Object = time.Now()
	c.report("pod %s is gone", p.Name)
	return r, c.syncProxies()
}

// ForceDeleteLate deletes a pod without grace on a cluster whose CNI removes the network
// last: the process is killed first, and its FIN gets through. It returns when the route
// is cut.
func (c *Cluster) ForceDeleteLate(ctx context.Context, p *Pod) (Removal, error) {
	if err := c.forget(p); err != nil {
		return Removal{}, err
	}
	r := Removal{Object: time.Now()}
	c.report("pod %s is force-deleted: the API has forgotten it", p.Name)
	if err := errors.Join(c.syncProxies(), p.Echo.Signal(syscall.SIGTERM)); err != nil {
		return r, err
	}
	select {
	case <-time.After(killDelay):
	case <-ctx.Done():
		return r, ctx.Err()
	}
	if err := p.Echo.Kill(); err != nil {
		return r, err
	}
	c.report("the process of %s is killed; its FIN gets through", p.Name)
	<-time.After(teardownDelay)
	if err := unlink(p); err != nil {
		return r, err
	}
	r.Route = time.Now()
	c.report("the route to %s is cut", p.Addr)
	return r, nil
}

// forget removes a pod and its endpoint from the API. The caller updates the rules.
func (a *api) forget(p *Pod) error {
	a.mu.Lock()
	a.pods = slices.DeleteFunc(a.pods, func(q *Pod) bool { return q == p })
	a.mu.Unlock()
	return a.writeState()
}

// unlink cuts a pod off: nothing leads to it, its packets do not get out, and its node
// forgets its connections.
func unlink(p *Pod) error {
	err := p.Node.NS.Do(func() error {
		return errors.Join(unroute(single(p.Addr)), down(p.link), untrack(p.Addr))
	})
	if err != nil {
		return fmt.Errorf("cut pod %s off: %w", p.Name, err)
	}
	return nil
}
