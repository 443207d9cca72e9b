package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/door"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// agent serves the reader's findings and returns its socket.
func agent(t *testing.T, r flow.Reader) string {
	t.Helper()
	return agentOn(t, "node-a", r)
}

func agentOn(t *testing.T, node string, r flow.Reader) string {
	t.Helper()
	return serve(t, api.Options{Reader: r, Node: node})
}

// serve serves an agent with these options, and returns its socket.
func serve(t *testing.T, o api.Options) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent.sock")
	l, err := api.ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	o.Version, o.Started, o.Now, o.Log = "v0.1.0", flowtest.Now().Add(-26*time.Hour), flowtest.Now, slog.New(slog.DiscardHandler)
	o.Audit = func() (audit.Report, error) { return flowtest.Audit(), nil }
	h := api.Handler(o)
	go func() { served <- door.Serve(ctx, l, h, o.Log) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return path
}

func run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	p := program{now: flowtest.Now, width: 100, stdout: &out, stderr: &errs}
	code = p.run(args)
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	full := agent(t, flowtest.NewReader())
	empty := agent(t, &flowtest.Reader{Sources: flowtest.Health()})
	suppressed := agent(t, &flowtest.Reader{Live: flowtest.Suppressed(100), Past: []flow.Finding{flowtest.Ended()}})
	short := agent(t, &flowtest.Reader{Sources: []flow.Health{{Source: flow.SourceKernel, Detail: "7 flows found no room"}}})
	past := agent(t, &flowtest.Reader{Past: []flow.Finding{flowtest.Ended()}})
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stdout string // a part of it
		stderr string // a part of it, which is one line
	}{
		{"stuck", []string{"dump", "--socket", full}, 1, "1 flow of default/client → 192.168.136.2:8000", ""},
		{"stuck, wide", []string{"dump", "--socket", full, "-o", "wide"}, 1, "StaleConntrack", ""},
		{"nothing", []string{"dump", "--socket", empty}, 0, "No flow is stuck.", ""},
		{"not all are watched", []string{"dump", "--socket", short}, 2, "No flow is known to be stuck, but not all are watched.", ""},
		{"not all are watched, as JSON", []string{"dump", "--socket", short, "-o", "json"}, 2, `"7 flows found no room"`, ""},
		{"nothing, as JSON", []string{"dump", "--socket", empty, "-o", "json"}, 0, `"flows": []`, ""},
		{"nothing, as lines", []string{"dump", "--socket", empty, "-o", "jsonl"}, 0, "", ""},
		{"counted only", []string{"dump", "--socket", suppressed}, 0, "100 accepted flows of vanished external clients", ""},
		{"counted only, all", []string{"dump", "--socket", suppressed, "--all"}, 1, "198.51.100.7:20000", ""},
		{"ended", []string{"dump", "--socket", past, "--all"}, 0, "TimedOut with ETIMEDOUT", ""},
		{"ended alone", []string{"dump", "--socket", full, "--ended"}, 0, "1 finding ended on node-a by 14:02:23Z: 1 TimedOut", ""},
		{"ended, wide", []string{"dump", "--socket", full, "--ended", "-o", "wide"}, 0, "ETIMEDOUT", ""},
		{"ended within", []string{"dump", "--socket", full, "--ended", "--since", "5m"}, 0, "1 finding ended on node-a between 13:57:23 and 14:02:23Z", ""},
		{"ended before", []string{"dump", "--socket", full, "--ended", "--since", "3m"}, 0, "No finding ended on node-a between 13:59:23 and 14:02:23Z.", ""},
		{"ended before, as JSON", []string{"dump", "--socket", full, "--ended", "--since", "3m", "-o", "json"}, 0, `"flows": []`, ""},
		{"since without ended", []string{"dump", "--socket", full, "--since", "3m"}, 2, "", "--since goes with --ended"},
		{"since the future", []string{"dump", "--socket", full, "--ended", "--since=-3m"}, 2, "", "above 0"},
		{"ended and stale", []string{"dump", "--socket", full, "--ended", "--stale"}, 2, "", "give one of them"},
		{"explain", []string{"explain", "1f3", "--socket", full}, 0, "conntrack -D", ""},
		{"explain, no such flow", []string{"explain", "77", "--socket", full}, 2, "", "no flow has an id that begins with 77"},
		{"explain, no id that could be one", []string{"explain", "zzzz", "--socket", full}, 2, "", `tcpstuck: flow id "zzzz" is not a hexadecimal number`},
		{"explain, no id that could be one, and no agent", []string{"explain", "zzzz", "--socket", "/nowhere/agent.sock"}, 2, "", `tcpstuck: flow id "zzzz" is not a hexadecimal number`},
		{"explain, many", []string{"explain", "a0", "--socket", full}, 2, "", "several flows have ids that begin with a0"},
		{"explain, no id", []string{"explain", "--socket", full}, 2, "", "required argument 'id' not provided"},
		{"audit", []string{"audit", "--socket", empty}, 0, "8 of 10 connections of node-a would hang", ""},
		{"audit, as lines", []string{"audit", "--socket", empty, "-o", "jsonl"}, 0, `{"class":"Unbounded","role":"client"`, ""},
		{"audit, no agent", []string{"audit", "--socket", "/nowhere/agent.sock"}, 2, "", "no agent answers"},
		{"no agent", []string{"dump", "--socket", "/nowhere/agent.sock"}, 2, "", "no agent answers on /nowhere/agent.sock: is tcpstuck-agent running?"},
		{"no command", nil, 2, "", "say what to do"},
		{"no command, but a flag", []string{"--socket", full}, 2, "", "say what to do"},
		{"wrong command", []string{"dmup"}, 2, "", "dmup"},
		{"wrong flag", []string{"dump", "--everything"}, 2, "", "--everything"},
		{"wrong output", []string{"dump", "-o", "yaml"}, 2, "", "yaml"},
		{"too much", []string{"dump", "1f3a"}, 2, "", "1f3a"},
		{"version", []string{"--version"}, 0, "tcpstuck unknown", ""},
		{"help", []string{"--help"}, 0, "explain", ""},
		{"help on a command", []string{"dump", "--help"}, 0, "Also list suppressed flows", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := run(c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("%d, stdout %q, stderr %q", code, stdout, stderr)
			}
			if (c.stderr == "") != (stderr == "") || strings.Count(stderr, "\n") > 1 {
				t.Errorf("stderr %q", stderr)
			}
			if code == exitError && stderr != "" && stdout != "" {
				t.Errorf("an error writes to stdout: %q", stdout)
			}
		})
	}
}

// An agent that knows nothing yet must not look as if nothing hung.
func TestAnAgentThatHasNotLookedYet(t *testing.T) {
	const says = "tcpstuck: not ready: it looks\n"
	socket := serve(t, api.Options{Reader: &flowtest.Reader{}, Ready: func() error { return errors.New("it looks") }})
	var all sync.WaitGroup
	for _, args := range []string{"dump", "dump -o json", "dump -o jsonl", "dump --ended", "dump --stale", "explain 1f3a"} {
		all.Go(func() { // each is patient for a while
			if code, stdout, stderr := run(append(strings.Fields(args), "--socket", socket)...); code != exitError || stdout != "" || stderr != says {
				t.Errorf("%s: %d, stdout %q, stderr %q", args, code, stdout, stderr)
			}
		})
	}
	all.Wait()
	if code, _, stderr := run("audit", "--socket", socket); code != exitOK {
		t.Errorf("an audit looks for itself: %d, %s", code, stderr)
	}
}

func TestAnAgentThatHasLookedInAMoment(t *testing.T) {
	var asked atomic.Int32
	socket := serve(t, api.Options{Reader: flowtest.NewReader(), Ready: func() error {
		if asked.Add(1) < 3 {
			return errors.New("it looks")
		}
		return nil
	}})
	if code, _, stderr := run("dump", "--socket", socket); code != exitStuck || stderr != "" {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestSocketFromTheEnvironment(t *testing.T) {
	t.Setenv("TCPSTUCK_SOCKET", agent(t, flowtest.NewReader()))
	if code, _, stderr := run("dump"); code != 1 {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestJSON(t *testing.T) {
	socket := agent(t, &flowtest.Reader{Live: append(flowtest.Findings(), flowtest.Suppressed(1)...), Past: []flow.Finding{flowtest.Ended()}, Sources: flowtest.Health()})
	for name, args := range map[string][]string{
		"dump.json":     {"dump", "-o", "json"},
		"dump-all.json": {"dump", "-o", "json", "--all"},
		"dump.jsonl":    {"dump", "-o", "jsonl"},
		"ended.json":    {"dump", "--ended", "-o", "json"},
		"ended.jsonl":   {"dump", "--ended", "-o", "jsonl"},
		"brief.jsonl":   {"dump", "--brief", "-o", "jsonl"},
		"explain.json":  {"explain", "1f3a", "-o", "json"},
		"audit.json":    {"audit", "-o", "json"},
	} {
		code, stdout, stderr := run(append(args, "--socket", socket)...)
		if code == exitError {
			t.Errorf("%s: %s", name, stderr)
		}
		for line := range strings.Lines(stdout) {
			if strings.HasSuffix(name, "jsonl") && !json.Valid([]byte(line)) {
				t.Errorf("%s: %s", name, line)
			}
		}
		if !strings.HasSuffix(name, "jsonl") && !json.Valid([]byte(stdout)) {
			t.Errorf("%s is not JSON", name)
		}
		golden.Check(t, "testdata/"+name+".golden", []byte(stdout))
	}
}

func TestText(t *testing.T) {
	socket := agent(t, flowtest.NewReader())
	for name, args := range map[string][]string{"dump": {"dump"}, "ended": {"dump", "--ended"}, "explain": {"explain", "1f3a"}} {
		_, stdout, _ := run(append(args, "--socket", socket)...)
		stdout = strings.ReplaceAll(stdout, socket, "SOCKET")
		golden.Check(t, "testdata/"+name+".golden", []byte(stdout))
	}
}

// closedPipe is what a reader that has left looks like.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

func TestAnswerThatCannotBeWritten(t *testing.T) {
	socket := agent(t, flowtest.NewReader())
	for _, output := range []string{"table", "wide", "json", "jsonl"} {
		var errs bytes.Buffer
		p := program{now: flowtest.Now, width: 100, stdout: closedPipe{}, stderr: &errs}
		if code := p.run([]string{"dump", "-o", output, "--socket", socket}); code != exitError {
			t.Errorf("%s: %d", output, code)
		}
	}
}
