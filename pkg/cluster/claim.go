package cluster

import (
	"slices"
	"time"
)

// claim is what the slices of one namespace say of one address: that it is
// this pod's or, if the ref has no name, that something answers there. Every
// user who may write slices in that namespace can make a claim. It has at least
// one listing.
type claim struct {
	first, last *listing // in the order in which they came
	listings    int32
	terminating int32     // of them
	since       time.Time // when it came into its condition: listed, or terminating
}

func (c *claim) pod() ref     { return c.first.pod() }
func (c *claim) node() string { return c.first.ep.Node }

// add adds a listing. It reports whether the condition of the claim changed.
func (c *claim) add(l *listing, at time.Time) (turned bool) {
	was, fresh := c.terminating > 0, c.listings == 0
	l.claim, l.prev = c, c.last
	if fresh {
		c.first = l
	} else {
		c.last.next = l
	}
	c.last = l
	c.listings++
	if l.ep.Terminating {
		c.terminating++
	}
	return c.turn(fresh || was != (c.terminating > 0), at)
}

// remove takes a listing out. It reports whether the condition of the claim
// changed.
func (c *claim) remove(l *listing, at time.Time) (turned bool) {
	was := c.terminating > 0
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		c.first = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	} else {
		c.last = l.prev
	}
	l.claim, l.prev, l.next = nil, nil, nil
	c.listings--
	if l.ep.Terminating {
		c.terminating--
	}
	return c.turn(was != (c.terminating > 0), at)
}

func (c *claim) turn(turned bool, at time.Time) bool {
	if turned {
		c.since = at
	}
	return turned
}

// manyClaims is how many claims of an address, and how many listings of a
// claim, are examined. More than that is a mistake or an attack, and must not
// cost more.
const manyClaims = 64

// each calls examine for the listings, at most manyClaims of them, until it
// returns false.
func (c *claim) each(examine func(*listing) bool) {
	for l, n := c.first, 0; l != nil && n < manyClaims; l, n = l.next, n+1 {
		if !examine(l) {
			return
		}
	}
}

// serves reports whether the claim is for a port.
func (c *claim) serves(port uint16) (yes bool) {
	c.each(func(l *listing) bool { yes = l.slice.serves(port); return !yes })
	return yes
}

// of reports whether a slice of a Service makes the claim.
func (c *claim) of(service Key) (yes bool) {
	if service == (Key{}) {
		return false
	}
	c.each(func(l *listing) bool { yes = l.slice.serviceKey() == service; return !yes })
	return yes
}

// servicesOf returns the Services whose slices make the claims at a port,
// sorted.
func servicesOf(claims []*claim, port uint16) []string {
	var names []string
	for _, c := range claims {
		c.each(func(l *listing) bool {
			if l.slice.Service != "" && l.slice.serves(port) {
				names = append(names, l.slice.service())
			}
			return true
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}
