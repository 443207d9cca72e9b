package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// truth holds which connections hang, by this program's own record.
type truth struct {
	mu    sync.Mutex
	stuck map[flow.ID]bool        // they hang: an agent must list them
	risky map[flow.ID]bool        // they are idle, or about to recover: it may list them
	ever  map[flow.ID]bool        // they were one or the other once
	cause map[flow.ID]flow.Cause  // why they hang, or would, if a fault made it certain
	deaf  map[netip.AddrPort]bool // of clients that do not read what an agent sends, and of ports that are flooded
}

func newTruth() *truth {
	return &truth{stuck: map[flow.ID]bool{}, risky: map[flow.ID]bool{}, ever: map[flow.ID]bool{}, cause: map[flow.ID]flow.Cause{}, deaf: map[netip.AddrPort]bool{}}
}

// hang records connections that hang from now on.
func (t *truth) hang(conns ...*conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range conns {
		t.stuck[c.id], t.ever[c.id] = true, true
		delete(t.risky, c.id)
	}
}

// because records why connections hang, or would hang after a write.
func (t *truth) because(cause flow.Cause, conns ...*conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range conns {
		t.cause[c.id] = cause
	}
}

// hangsBecause returns why a connection hangs; empty: that was not recorded.
func (t *truth) hangsBecause(id flow.ID) flow.Cause {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cause[id]
}

// risk records connections that would hang after a write, or that are about to
// recover.
func (t *truth) risk(conns ...*conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range conns {
		t.risky[c.id], t.ever[c.id] = true, true
		delete(t.stuck, c.id)
	}
}

// ignore records a client that does not read, or a flooded port: an agent that answers
// there hangs or closes, and may report that.
func (t *truth) ignore(end netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deaf[end] = true
}

// over records connections that recovered or ended.
func (t *truth) over(conns ...*conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range conns {
		delete(t.stuck, c.id)
		delete(t.risky, c.id)
	}
}

func (t *truth) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.stuck)
}

// hung reports whether a connection ever hung.
func (t *truth) hung(id flow.ID, local, peer netip.AddrPort) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ever[id] || t.deaf[local] || t.deaf[peer]
}

// difference is where a list of findings differs from the truth.
type difference struct {
	missing []flow.ID // they hang, and are not in the list
	extra   []flow.Finding
}

func (d difference) none() bool { return len(d.missing)+len(d.extra) == 0 }

func (d difference) String() string {
	s := fmt.Sprintf("%d that hang are missing, %d that do not are listed", len(d.missing), len(d.extra))
	if len(d.missing) > 0 {
		s += fmt.Sprintf("; missing: %s", some(d.missing))
	}
	for _, f := range d.extra[:min(len(d.extra), 3)] {
		s += fmt.Sprintf("\n%s %s %s · %s (%s): %s", f.ID, f.Local.Addr, f.Symptom, f.Cause, f.Suppressed, f.Sentence)
	}
	return s
}

func some(ids []flow.ID) string {
	var list []string
	for _, id := range ids[:min(len(ids), 3)] {
		list = append(list, id.String())
	}
	return strings.Join(list, ", ")
}

// compare compares a list of live findings with the truth. It ignores sockets
// that only have a FIN outstanding.
func (t *truth) compare(findings []flow.Finding) difference {
	t.mu.Lock()
	defer t.mu.Unlock()
	var d difference
	listed := map[flow.ID]bool{}
	for _, f := range findings {
		listed[f.ID] = true
		if !t.stuck[f.ID] && !t.risky[f.ID] && !t.deaf[f.Local.Addr] && !t.deaf[f.Peer.Addr] && f.Suppressed != flow.SuppressedClosing {
			d.extra = append(d.extra, f)
		}
	}
	for id := range t.stuck {
		if !listed[id] {
			d.missing = append(d.missing, id)
		}
	}
	slices.Sort(d.missing)
	return d
}

// listed counts the connections that hang and are in a list.
func (t *truth) listed(findings []flow.Finding) int {
	return t.len() - len(t.compare(findings).missing)
}

// findTime is how soon after trouble an agent has to know the whole truth, even on a busy
// machine.
const findTime = 30 * time.Second

// found waits until an agent's findings are the truth.
func (t *truth) found(ctx context.Context, a *agent) error {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	var last error
	err := awaitEvery(ctx, listInterval, func() (bool, error) {
		if err := a.living(); err != nil {
			return false, err
		}
		findings, err := a.flows(ctx)
		if err != nil && ctx.Err() != nil {
			return false, ctx.Err() // the last answer says more
		}
		if err != nil {
			last = err
			return false, nil //nolint:nilerr // the question is repeated until the time is up
		}
		d := t.compare(findings)
		last = errors.New(d.String())
		return d.none(), nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("agent %s: after %v %w\n%s", a.spec.name, findTime, last, a.tail())
	}
	return err
}
