package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// reproducer is the program that plays the scenarios.
type reproducer struct {
	path    string
	timeout time.Duration // for one run; it then has 20 s to clean up
}

// outcome is what `reproducer run --json` prints.
type outcome struct {
	Scenario      string         `json:"scenario"`
	Expected      map[string]any `json:"expected"`
	Found         map[string]any `json:"found"`
	DetectSeconds *float64       `json:"detect_seconds"`
	OK            bool           `json:"ok"`
	Reason        string         `json:"reason"` // why it is not ok, where the reproducer says so
	Timeline      []struct {
		Seconds float64 `json:"t"`
		What    string  `json:"what"`
	} `json:"timeline"`
}

// story returns the reason and the timeline, for people.
func (o outcome) story() string {
	var b strings.Builder
	b.WriteString(o.Reason)
	for _, step := range o.Timeline {
		fmt.Fprintf(&b, "\n%8.3fs  %s", step.Seconds, step.What)
	}
	return b.String()
}

// scenario is what `reproducer list -o json` says of one.
type scenario struct {
	Name     string   `json:"name"`
	Families []string `json:"families"` // in which it is worth playing
}

// list returns all scenarios.
func (r reproducer) list(ctx context.Context) ([]scenario, error) {
	out, err := exec.CommandContext(ctx, r.path, "list", "-o", "json").Output()
	if err != nil {
		return nil, fmt.Errorf("list the scenarios: %w", err)
	}
	var all []scenario
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("read the list of scenarios: %w", err)
	}
	return all, nil
}

// run plays one scenario. An error means that it did not end as expected; the
// outcome then holds what is known.
func (r reproducer) run(ctx context.Context, name, family string) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, r.path, "run", name, "--json", "--family", family)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	runErr := cmd.Run()

	var o outcome
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		return o, fmt.Errorf("no verdict: %w: %s%s", errors.Join(runErr, err), &stdout, &stderr)
	}
	switch {
	case ctx.Err() != nil:
		return o, fmt.Errorf("not done after %s: %s", r.timeout, &stderr)
	case runErr != nil:
		return o, fmt.Errorf("%w: %s\n%s", runErr, o.story(), &stderr)
	case o.Scenario != name:
		return o, fmt.Errorf("the verdict is about %q", o.Scenario)
	case !o.OK:
		return o, errors.New("exit status 0, yet not ok")
	}
	return o, nil
}

// words returns a verdict as people write it.
func words(verdict map[string]any) string {
	var said []string
	for _, key := range []string{"symptom", "cause", "outcome", "error"} {
		if s, _ := verdict[key].(string); s != "" {
			said = append(said, s)
		}
	}
	if len(said) == 0 {
		return "nothing"
	}
	return strings.Join(said, " · ")
}
