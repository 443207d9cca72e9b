package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// demoDetectSeconds is how soon after the client's first write the agent must
// have named the cause.
const demoDetectSeconds = 2

// Demo plays the calico scenario for people: what happens, what tcpstuck
// prints, and the proof that the client still hangs. It returns whether the
// finding is complete and in time.
func Demo(ctx context.Context, opts Options) (ok bool, err error) {
	l := newLab(opts)
	defer func() { err = errors.Join(err, l.Close()) }()
	s := calico()
	say(opts, "%s\n", s.Story)
	if err := l.open(ctx, opts, s); err != nil {
		return false, fmt.Errorf("set up the demo: %w", err)
	}
	if err := l.AfterAnswer(ctx, 2); err != nil {
		return false, err
	}
	say(opts, "\nThe client's log so far:\n%s\n", indent(l.Client.Echo.Log()))
	r := Result{Scenario: s.Name, Expected: s.Expected}
	if err := (&trial{l, s, &r}).play(ctx); err != nil || !r.OK {
		return false, err
	}
	if err := showFinding(ctx, l, opts, r.Found.Flow.ID); err != nil {
		return false, err
	}
	if err := showHang(l, opts); err != nil {
		return false, err
	}
	if *r.DetectSeconds > demoDetectSeconds {
		l.Timeline.Add("NOT as expected: found only after %.2f s", *r.DetectSeconds)
		return false, nil
	}
	l.Timeline.Add("found and explained %.2f s after the first write that nobody answered", *r.DetectSeconds)
	return true, nil
}

// showFinding prints what an operator would see on the client's node, and
// demands that the finding is complete.
func showFinding(ctx context.Context, l *Lab, opts Options, id flow.ID) error {
	for _, args := range [][]string{{"dump"}, {"explain", id.String()}} {
		out, _, err := l.Agent.CLI(ctx, args...)
		if err != nil {
			return err
		}
		say(opts, "\nnode-a# tcpstuck %s\n%s", strings.Join(args, " "), out)
	}
	out, code, err := l.Agent.CLI(ctx, "dump", "-o", "jsonl")
	if err != nil {
		return err
	}
	if code != 1 {
		return fmt.Errorf("tcpstuck dump exits %d while a flow is stuck, want 1", code)
	}
	missing, err := missingFields([]byte(out), id)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("the finding lacks %s:\n%s", strings.Join(missing, ", "), out)
	}
	return nil
}

// missingFields returns the fields that a finding must have and that the line of the flow
// with this id lacks.
func missingFields(jsonl []byte, id flow.ID) ([]string, error) {
	for line := range strings.Lines(string(jsonl)) {
		var f map[string]any
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			return nil, fmt.Errorf("read a finding: %w", err)
		}
		if f["id"] != id.String() {
			continue
		}
		var missing []string
		for _, path := range []string{
			"local.pod", "local.workload", "local.pid", "local.comm", "peer.service", "peer.address",
			"backend.address", "backend.state", "age_seconds", "unacknowledged_bytes", "gives_up_at", "sentence", "advice",
		} {
			if empty(lookUp(f, path)) {
				missing = append(missing, path)
			}
		}
		return missing, nil
	}
	return nil, fmt.Errorf("flow %s is not in\n%s", id, jsonl)
}

func lookUp(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// empty reports whether a JSON value is empty.
func empty(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	}
	return v == nil
}

// showHang proves that the client still waits: its last action is the request, and the
// kernel holds its bytes.
func showHang(l *Lab, opts Options) error {
	records := l.Client.Echo.Records()
	last := records[len(records)-1]
	if last.Kind != record.Write {
		return fmt.Errorf("the client does not hang: the last thing it did was to %s", last.Kind)
	}
	s, found, err := l.Client.Socket(last.Local)
	if err != nil {
		return err
	}
	if !found || s.State != flow.Established || s.Unacknowledged == 0 {
		return fmt.Errorf("the client does not hang: its socket is %s with %d bytes unacknowledged", s.State, s.Unacknowledged)
	}
	log := strings.Split(l.Client.Echo.Log(), "\n")
	say(opts, "\nThe client knows nothing of it. The last line of its log:\n%s\n", indent(log[len(log)-1]))
	say(opts, "Its socket, as the kernel has it: %s %s -> %s, %d bytes written and never acknowledged.\n\n", s.State, last.Local, last.Remote, s.Unacknowledged)
	return nil
}

// say prints something that is no step of the timeline. A reader who left
// does not stop the play.
func say(opts Options, format string, args ...any) {
	_, _ = fmt.Fprintf(opts.Out, format, args...)
}

func indent(lines string) string { return "    " + strings.ReplaceAll(lines, "\n", "\n    ") }
