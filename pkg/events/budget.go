package events

import (
	"time"

	"golang.org/x/time/rate"
)

// A namespace is told so many things at once, then one in a while. All of a
// node are told more, so that a namespace that has been told little is
// told something while others are noisy: what it was told counts as nodeShare
// times as much of what is left to the node.
const (
	atOnce     = 5
	pause      = 30 * time.Second
	nodeAtOnce = 200
	nodePause  = 5 * time.Second
	nodeShare  = 40
)

// budget is what may be told: by the node, by namespace, and by pod. The
// processes of the host have a share as a namespace has. It keeps no more
// namespaces than were told something of late.
type budget struct {
	node   *rate.Limiter
	shares map[string]*rate.Limiter // by namespace; empty: the host's
}

func newBudget() *budget {
	return &budget{node: rate.NewLimiter(rate.Every(nodePause), nodeAtOnce), shares: map[string]*rate.Limiter{}}
}

// tell reports whether something may be told in a namespace, of somebody who
// was told so many things there of late: no more than are left to the others.
func (b *budget) tell(namespace string, told int) bool {
	left := b.left(namespace)
	spent := atOnce - left
	if told >= left || spent*nodeShare >= int(b.node.Tokens()) {
		return false
	}
	b.spend(namespace)
	return true
}

// repeat reports whether a repetition may be counted: what is new goes first.
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
