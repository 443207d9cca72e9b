package events

import (
	"time"

	"golang.org/x/time/rate"
)

// A namespace has so many Events at once, then one in a while. The node has more
// for all namespaces. When few of these are left, namespaces that had few Events go
// first: a namespace gets one only if nodeShare times what it had is less than what
// is left.
const (
	atOnce     = 5
	pause      = 30 * time.Second
	nodeAtOnce = 200
	nodePause  = 5 * time.Second
	nodeShare  = 40
)

// budget limits the Events of the node, of a namespace and of a pod. The host's
// processes have the share of a namespace. It remembers the namespaces that had an
// Event lately.
type budget struct {
	node   *rate.Limiter
	shares map[string]*rate.Limiter // by namespace; empty: the host's
}

func newBudget() *budget {
	return &budget{node: rate.NewLimiter(rate.Every(nodePause), nodeAtOnce), shares: map[string]*rate.Limiter{}}
}

// allow reports whether a pod that had so many Events lately may have another one.
// It must leave as many to the other pods of its namespace.
func (b *budget) allow(namespace string, had int) bool {
	left := b.left(namespace)
	spent := atOnce - left
	if had >= left || spent*nodeShare >= int(b.node.Tokens()) {
		return false
	}
	b.spend(namespace)
	return true
}

// repeat reports whether a repetition may be counted: new Events go first.
func (b *budget) repeat(namespace string) bool {
	if b.left(namespace) < 2 || b.node.Tokens() < 1 {
		return false
	}
	b.spend(namespace)
	return true
}

func (b *budget) left(namespace string) int {
	if l := b.shares[namespace]; l != nil {
		return int(l.Tokens())
	}
	return atOnce
}

func (b *budget) spend(namespace string) {
	l := b.shares[namespace]
	if l == nil {
		l = rate.NewLimiter(rate.Every(pause), atOnce)
		b.shares[namespace] = l
	}
	l.Allow()
	b.node.Allow()
}

// forget drops the namespaces that have all of their share again.
func (b *budget) forget() {
	for namespace, l := range b.shares {
		if l.Tokens() >= atOnce {
			delete(b.shares, namespace)
		}
	}
}
