package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// toldEvent is as much of an event as says which connection it is about.
type toldEvent struct {
	Type flow.EventType `json:"type"`
	Flow *struct {
		ID    string     `json:"id"`
		Cause flow.Cause `json:"cause"`
		Local toldEnd    `json:"local"`
		Peer  toldEnd    `json:"peer"`
	} `json:"flow"`
}

type toldEnd struct {
	Address netip.Addr `json:"address"`
	Port    uint16     `json:"port"`
}

func (e toldEnd) addr() netip.AddrPort { return netip.AddrPortFrom(e.Address, e.Port) }

// honest reads an agent's event file, even after the agent has ended: every line
// is an event, none is about a connection that never hung, none has a wrong
// cause, and none follows from a lookup that was aborted.
func (l *Lab) honest(a *agent) error {
	info, err := os.Stat(a.events)
	if errors.Is(err, os.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(a.events)
	if err != nil {
		return fmt.Errorf("read the events of %s: %w", a.spec.name, err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if err := l.honestLine(lines.Bytes()); err != nil {
			return fmt.Errorf("event %d of agent %s: %w", n, a.spec.name, err)
		}
	}
	return lines.Err()
}

func (l *Lab) honestLine(line []byte) error {
	var e toldEvent
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("%q: %w", line[:min(len(line), 100)], err)
	}
	if bytes.Contains(line, []byte(context.Canceled.Error())) {
		return fmt.Errorf("it is made of a question that was broken off: %.500s", line)
	}
	if e.Flow == nil {
		return nil
	}
	id, err := flow.ParseID(e.Flow.ID)
	if err != nil {
		return err
	}
	if !l.truth.hung(id, e.Flow.Local.addr(), e.Flow.Peer.addr()) {
		return fmt.Errorf("it is about %s, which never hung: %.500s", id, line)
	}
	// An agent that started after the backend had gone, or cannot ask, says that it
	// does not know.
	cause := l.truth.hangsBecause(id)
	if e.Type == flow.EventStuck && cause != "" && e.Flow.Cause != cause && e.Flow.Cause != flow.Unknown {
		return fmt.Errorf("it says that %s hangs because of %s, it is %s: %.500s", id, e.Flow.Cause, cause, line)
	}
	return nil
}
