package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// staleEntryStays demands that tcpstuck dump --stale lists the conntrack entry, which
// outlives its flow by minutes.
func staleEntryStays(ctx context.Context, l *Lab, f flow.Finding) error {
	waiting, cancel := context.WithTimeout(ctx, passInterval+margin)
	defer cancel()
	var out string
	err := await(waiting, func() (bool, error) {
		if !pause(waiting, requestInterval) {
			return false, waiting.Err()
		}
		var err error
		if out, _, err = l.Agent.CLI(waiting, "dump", "--stale", "-o", "jsonl"); err != nil {
			return false, err
		}
		return lists(out, f)
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("tcpstuck dump --stale does not list the entry that the flow left behind: %q", out)
	}
	if err == nil {
		l.Timeline.Add("tcpstuck dump --stale lists the entry that the flow left behind")
	}
	return err
}

// lists reports whether the lines contain the entry of a flow.
func lists(jsonl string, f flow.Finding) (bool, error) {
	for line := range strings.Lines(jsonl) {
		var e flow.StaleEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return false, fmt.Errorf("read a stale entry: %w", err)
		}
		if e.Client == f.Local.Addr && e.Service == f.Peer.Addr && f.Backend != nil && e.Backend == f.Backend.Addr {
			return true, nil
		}
	}
	return false, nil
}
