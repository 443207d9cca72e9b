package door

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// MostPlaces is how many connections a door holds if descriptors suffice.
const MostPlaces = 64

// perSecond is how many connections a door lets in, and how many requests its
// server answers. More would leave the agent's own work waiting for a CPU.
const perSecond = 800

// Door is a listener that holds a limited number of connections. When all places are
// taken, it lets the next connection in and closes another: see leaves. Serve must
// serve its connections, because it knows what each of them is doing.
type Door struct {
	net.Listener
	places  int
	pauses  time.Duration
	changed chan struct{} // a place is free, or may be taken
	pace    *rate.Limiter

	mu     sync.Mutex
	inside map[*visitor]struct{}
	closed bool
}

// Guard returns a Door with a number of places, at least one. Closing it
// closes the listener.
func Guard(l net.Listener, places int) *Door {
	pauses := stay
	if l.Addr().Network() == "unix" {
		pauses = listStay
	}
	return &Door{
		Listener: l, places: max(places, 1), pauses: pauses, inside: map[*visitor]struct{}{},
		changed: make(chan struct{}, 1), pace: rate.NewLimiter(perSecond, MostPlaces),
	}
}

// Accept returns the next connection. If need be, it closes another. While all
// places are taken by connections that have just come, asked, or read some of their
// answer, the next ones wait in the kernel. So do connections beyond perSecond.
func (d *Door) Accept() (net.Conn, error) {
	d.await()
	if err := d.pace.Wait(context.Background()); err != nil { // a millisecond
		return nil, fmt.Errorf("pace the connections: %w", err)
	}
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &visitor{Conn: c, door: d, standing: standing{source: sourceOf(c), state: asking, since: time.Now(), pauses: d.pauses}}
	if goes := d.admit(v); goes != nil {
		goes.show()
	}
	return v, nil
}

// Close closes the listener. Connections stay.
func (d *Door) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.wake()
	return d.Listener.Close()
}

// await waits until there is room for one more.
func (d *Door) await() {
	for wait := d.untilRoom(); wait > 0; wait = d.untilRoom() {
		select {
		case <-d.changed:
		case <-time.After(wait):
		}
	}
}

// untilRoom returns the longest time until there is room.
func (d *Door) untilRoom() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.inside) < d.places {
		return 0
	}
	now := time.Now()
	return leaves(d.inside, d.places, now).standing.until().Sub(now)
}

// wake wakes an Accept that waits for room.
func (d *Door) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// admit gives a place to a visitor, and returns the one that had it before.
func (d *Door) admit(v *visitor) (goes *visitor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.inside) >= d.places {
		goes = leaves(d.inside, d.places, time.Now())
		delete(d.inside, goes)
	}
	d.inside[v] = struct{}{}
	return goes
}

// visitor is a connection through a door.
type visitor struct {
	net.Conn
	door  *Door
	begun sync.Once // to be read from

	standing standing // under the door's lock
}

// sourceOf returns the address that a connection comes from. All connections of a
// unix socket have the zero address.
func sourceOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// Read reads a request. The caller's time to send it begins with the first Read:
// before that the agent was not ready for it.
func (v *visitor) Read(b []byte) (int, error) {
	v.begun.Do(func() { v.is(opening) })
	return v.Conn.Read(b)
}

// piece is how many bytes of an answer are written at once.
const piece = 32 << 10

// Write writes in pieces, and notes with each that the caller reads its answer.
func (v *visitor) Write(b []byte) (written int, err error) {
	for written < len(b) && err == nil {
		var n int
		n, err = v.Conn.Write(b[written:min(len(b), written+piece)])
		written += n
		v.progress()
	}
	return written, err
}

// progress notes a piece of an answer. What TLS writes before that does not count.
func (v *visitor) progress() {
	v.door.mu.Lock()
	defer v.door.mu.Unlock()
	if v.standing.state == asking || v.standing.state == taking {
		v.standing.state, v.standing.since = taking, time.Now()
	}
}

// Close gives the place back.
func (v *visitor) Close() error {
	v.door.mu.Lock()
	delete(v.door.inside, v)
	v.door.mu.Unlock()
	v.door.wake()
	return v.Conn.Close()
}

// CloseWrite lets the server wait until its last word has arrived. That is not
// needed.
func (v *visitor) CloseWrite() error {
	v.is(idle)
	if c, ok := v.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// show closes a visitor. The kernel need not keep half an answer for it.
func (v *visitor) show() {
	v.door.mu.Lock()
	idle := v.standing.state == idle
	v.door.mu.Unlock()
	if c, ok := v.Conn.(*net.TCPConn); ok && !idle {
		_ = c.SetLinger(0) // otherwise the kernel keeps the answer for some seconds
	}
	_ = v.Conn.Close() // it goes in any case
}

// follow learns from the server what a connection is doing.
func follow(c net.Conn, s http.ConnState) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	v, ok := c.(*visitor)
	if !ok {
		return
	}
	switch s {
	case http.StateActive:
		v.is(asking)
	case http.StateIdle:
		v.is(idle)
	}
}

func (v *visitor) is(s state) {
	v.door.mu.Lock()
	v.standing.state, v.standing.since = s, time.Now()
	v.door.mu.Unlock()
	if s == idle {
		v.door.wake()
	}
}
