package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube/agents"
)

// cluster is a fleet whose pods run this program.
type cluster struct {
	all     []agents.Agent
	err     error
	sockets map[string]string // of each node's agent
	dead    map[string]error  // nodes into which no exec gets; context.DeadlineExceeded: it takes too long

	mu   sync.Mutex
	seen []string
}

func (c *cluster) open(o agents.Options) (fleet, error) {
	c.seen = append(c.seen, fmt.Sprintf("%+v", o))
	return c, nil
}

func (c *cluster) Agents(context.Context) ([]agents.Agent, error) { return c.all, c.err }

func (c *cluster) Exec(ctx context.Context, a agents.Agent, command []string, stdout, stderr io.Writer) (int, error) {
	c.mu.Lock()
	c.seen = append(c.seen, strings.Join(command, " "))
	c.mu.Unlock()
	switch err := c.dead[a.Node]; {
	case errors.Is(err, context.DeadlineExceeded):
		<-ctx.Done()
		return 0, ctx.Err()
	case err != nil:
		return 0, err
	case command[0] != "tcpstuck":
		return 127, nil
	}
	p := program{now: flowtest.Now, width: 100, stdout: stdout, stderr: stderr}
	return p.run(append([]string{"--socket", c.sockets[a.Node]}, command[1:]...)), nil
}

// on gives findings to a node.
func on(node string, fs []flow.Finding) []flow.Finding {
	fs = slices.Clone(fs)
	for n := range fs {
		fs[n].Node = node
	}
	return fs
}

// newCluster has two nodes that answer, one that is quiet, a slow one, one
// whose kubelet is dead, one without a running agent and one whose agent does
// not answer.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	full := flowtest.NewReader()
	crowd := &flowtest.Reader{Live: on("node-b", flowtest.Crowd(3, 1)), Past: on("node-b", []flow.Finding{flowtest.Ended(), flowtest.Truncated()}), Sources: flowtest.Health()}
	c := &cluster{
		sockets: map[string]string{
			"node-a": agentOn(t, "node-a", full), "node-b": agentOn(t, "node-b", crowd), "node-c": agentOn(t, "node-c", &flowtest.Reader{}), "node-g": "/nowhere/agent.sock",
		},
		dead: map[string]error{"node-d": context.DeadlineExceeded, "node-e": errors.New("exec in pod tcpstuck-e: dial tcp: no route to host")},
	}
	for _, node := range []string{"node-a", "node-b", "node-c", "node-d", "node-e", "node-f", "node-g"} {
		c.all = append(c.all, agents.Agent{Node: node, Pod: "tcpstuck-" + node, Container: "agent"})
	}
	c.all[5].Problem = "its agent, pod tcpstuck-node-f, is Pending"
	return c
}

func (c *cluster) run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	p := program{now: flowtest.Now, width: 100, stdout: &out, stderr: &errs}
	code = p.runPlugin(args, c.open)
	return code, out.String(), errs.String()
}

// A node whose agent has not looked yet did not answer, whatever the others say.
func TestANodeThatHasNotLookedYet(t *testing.T) {
	c := newCluster(t)
	c.sockets["node-c"] = serve(t, api.Options{Reader: &flowtest.Reader{}, Ready: func() error { return errors.New("it looks") }})
	code, stdout, stderr := c.run("dump", "--nodes=node-a,node-c")
	if code != exitError || !strings.Contains(stdout, "1f3a") || !strings.Contains(stderr, "1 of 2 nodes did not answer: node-c: not ready: it looks\n") {
		t.Errorf("%d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestNodesExitCodes(t *testing.T) {
	c := newCluster(t)
	const some, quiet, gone = "--nodes=node-a,node-b,node-c", "--nodes=node-c", "--nodes=node-e"
	for _, tc := range []struct {
		name   string
		args   []string
		code   int
		stdout string
		stderr string // each line of it has this
	}{
		{"stuck", []string{"dump", some}, 1, "4 flows of 2 workloads → 192.168.136.2:8000", ""},
		{"quiet", []string{"dump", quiet}, 0, "No flow is stuck.", ""},
		{"quiet, as JSON", []string{"dump", quiet, "-o", "json"}, 0, `"flows": []`, ""},
		{"quiet, as lines", []string{"dump", quiet, "-o", "jsonl"}, 0, "", ""},
		{"a node is missing", []string{"dump", "--nodes=node-a", "--nodes", "node-e"}, 2, "1f3a", "1 of 2 nodes did not answer: node-e: exec in pod tcpstuck-e: dial tcp: no route to host"},
		{"nothing is stuck, but a node is missing", []string{"dump", "--nodes=node-c,node-g"}, 2, "No flow is stuck", "node-g: no agent answers on /nowhere/agent.sock"},
		{"a slow node", []string{"dump", "--nodes=node-c,node-d", "--node-timeout=1s"}, 2, "No flow is stuck", "1 of 2 nodes did not answer: node-d: no answer within 1s"},
		{"nobody answers", []string{"dump", gone}, 2, "", "1 of 1 nodes did not answer"},
		{"nobody answers, as JSON", []string{"dump", gone, "-o", "json"}, 2, `"error": "exec in pod tcpstuck-e: dial tcp: no route to host"`, "1 of 1 nodes did not answer"},
		{"nobody answers, ended, as JSON", []string{"dump", "--ended", gone, "-o", "json"}, 2, `"flows": []`, "1 of 1 nodes did not answer"},
		{"nobody answers, as lines", []string{"dump", gone, "-o", "jsonl"}, 2, "", "1 of 1 nodes did not answer"},
		{"a name that is empty", []string{"dump", "--node-timeout=50ms", "--nodes="}, 2, "", "--nodes names no node"},
		{"a list without names", []string{"dump", "--node-timeout=50ms", "--nodes", " , "}, 2, "", "--nodes names no node"},
		{"one of two lists is empty", []string{"dump", "--nodes=node-c", "--nodes="}, 2, "", "--nodes names no node"},
		{"no such node", []string{"dump", "--nodes=node-x"}, 2, "", "node-x: no agent runs there"},
		{"pending", []string{"dump", "--nodes=node-f"}, 2, "", "its agent, pod tcpstuck-node-f, is Pending"},
		{"ended", []string{"dump", "--ended", some}, 0, "3 findings ended on 3 nodes by 14:02:23Z: 2 TimedOut, 1 Closed", ""},
		{"ended within", []string{"dump", "--ended", "--since=2m", some}, 0, "1 finding ended on 3 nodes between 14:00:23 and 14:02:23Z: 1 Closed", ""},
		{"stale", []string{"dump", "--stale", quiet}, 0, "node-c:\nNo conntrack entry outlived its flow.", ""},
		{"stale, a node is missing", []string{"dump", "--stale", "--nodes=node-c,node-e"}, 2, "node-c:", "node-e"},
		{"audit", []string{"audit", some}, 0, "node-b:\n8 of 10 connections", ""},
		{"audit, a node is missing", []string{"audit", "--nodes=node-a,node-e"}, 2, "node-a:\n", "node-e"},
		{"explain", []string{"explain", "9001", some}, 0, "node node-b", ""},
		{"explain, a node is missing", []string{"explain", "1f3a", "--nodes=node-a,node-e"}, 0, "conntrack -D", "1 of 2 nodes did not answer: node-e"},
		{"explain, no such flow", []string{"explain", "77", some}, 2, "", "no node has a flow whose id begins with 77: it is not stuck"},
		{"explain, no such flow, and nobody to ask", []string{"explain", "77", gone}, 2, "", "1 of 1 nodes did not answer: node-e"},
		{"explain, no id that could be one", []string{"explain", "zzzz", some}, 2, "", `flow id "zzzz" is not a hexadecimal number`},
		{"explain, no id that could be one, of a dead node", []string{"explain", "zzzz", gone}, 2, "", `flow id "zzzz" is not a hexadecimal number`},
		{"explain, several on a node", []string{"explain", "900", some}, 2, "", "node-b: several flows have ids that begin with 900: 9000, 9001, 9002"},
		{"explain, on several nodes", []string{"explain", "1e00", some}, 2, "", "several nodes have a flow whose id begins with 1e00: node-a, node-b; choose one with --nodes"},
		{"explain, on one of several", []string{"explain", "1e00", "--nodes=node-b"}, 0, "node node-b", ""},
		{"explain, no id", []string{"explain"}, 2, "", "required argument 'id' not provided"},
		{"no command", nil, 2, "", "say what to do"},
		{"a flag of the other", []string{"dump", "--socket=x"}, 2, "", "--socket"},
		{"help", []string{"--help"}, 0, "--node-timeout", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := c.run(tc.args...)
			if code != tc.code || !strings.Contains(stdout, tc.stdout) || tc.stdout == "" && stdout != "" {
				t.Errorf("%d, stdout %q, stderr %q", code, stdout, stderr)
			}
			if (tc.stderr == "") != (stderr == "") {
				t.Errorf("stderr %q", stderr)
			}
			for line := range strings.Lines(stderr) {
				if !strings.Contains(line, tc.stderr) || !strings.HasPrefix(line, "tcpstuck: ") {
					t.Errorf("stderr %q", line)
				}
			}
		})
	}
}

// A flow that no node has may be on one that did not answer.
func TestNoSuchFlowOfTheNodesThatAnswered(t *testing.T) {
	const want = "tcpstuck: 1 of 2 nodes did not answer: node-e: exec in pod tcpstuck-e: dial tcp: no route to host\n" +
		"tcpstuck: no node that answered has a flow whose id begins with 77: it is not stuck, or it ended long ago\n"
	if code, stdout, stderr := newCluster(t).run("explain", "77", "--nodes=node-a,node-e"); code != exitError || stdout != "" || stderr != want {
		t.Errorf("%d, stdout %q, stderr %q, want %q", code, stdout, stderr, want)
	}
}

// A malformed id is an error before any node is asked.
func TestWhatIsNoIDAsksNoNode(t *testing.T) {
	c := newCluster(t)
	for _, id := range []string{"zzzz", "shop/web", "0x1f3a", "", "11112222333344445"} {
		code, stdout, stderr := c.run("explain", id)
		if code != exitError || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, fmt.Sprintf("tcpstuck: flow id %q is ", id)) {
			t.Errorf("%q: %d, stdout %q, stderr %q", id, code, stdout, stderr)
		}
	}
	if len(c.seen) > 0 {
		t.Errorf("asked %q", c.seen)
	}
}

func TestExactIDIsPreferred(t *testing.T) {
	c := newCluster(t)
	short := flowtest.Calico()
	short.ID = 0x1f3
	c.sockets["node-c"] = agentOn(t, "node-c", &flowtest.Reader{Live: on("node-c", []flow.Finding{short})})
	if code, stdout, stderr := c.run("explain", "1F3", "--nodes=node-a,node-c"); code != 0 || !strings.Contains(stdout, "node node-c") {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
}

// TestNodesOutput: with a slow and a dead node among them, everything that
// can be said is said.
func TestNodesOutput(t *testing.T) {
	commands := map[string][]string{
		"dump":       {"dump"},
		"dump.json":  {"dump", "--brief", "-o", "json"},
		"dump.jsonl": {"dump", "--brief", "-o", "jsonl"},
		"ended":      {"dump", "--ended"},
		"audit.json": {"audit", "-o", "json"},
		"stale.json": {"dump", "--stale", "-o", "json"},
	}
	for name, said := range runAll(t, commands, "--node-timeout=1500ms") {
		if said.code != exitError {
			t.Errorf("%s: exit code %d", name, said.code)
		}
		for line := range strings.Lines(said.stdout) {
			if strings.HasSuffix(name, "jsonl") && !json.Valid([]byte(line)) {
				t.Errorf("%s: %s", name, line)
			}
		}
		if strings.HasSuffix(name, "json") && !json.Valid([]byte(said.stdout)) {
			t.Errorf("%s is not JSON", name)
		}
		golden.Check(t, "testdata/nodes-"+name+".golden", []byte(said.stdout))
		golden.Check(t, "testdata/nodes-errors.golden", []byte(said.stderr))
	}
}

// said is what a command printed, and its exit code.
type said struct {
	code           int
	stdout, stderr string
}

// runAll runs commands, each with one more argument, side by side: each waits
// for the slow node.
func runAll(t *testing.T, commands map[string][]string, more string) map[string]said {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	answers := make(map[string]said)
	for name, args := range commands {
		c := newCluster(t)
		all.Go(func() {
			code, stdout, stderr := c.run(append(args, more)...)
			mu.Lock()
			defer mu.Unlock()
			answers[name] = said{code, stdout, stderr}
		})
	}
	all.Wait()
	return answers
}

func TestWhatIsAskedInThePods(t *testing.T) {
	c := newCluster(t)
	c.run("dump", "--all", "--ended", "--since", "1h30m", "--nodes=node-c", "-n", "elsewhere", "--context=prod", "--kubeconfig=k")
	c.run("dump", "-o", "json", "--nodes=node-c")
	c.run("explain", "1f3a", "--nodes=node-c")
	golden.Check(t, "testdata/nodes-asked.golden", []byte(strings.Join(c.seen, "\n")+"\n"))
}

// An empty answer is not taken for that of an agent without findings.
func TestAnswersOfAnotherVersion(t *testing.T) {
	for _, answer := range []string{`{}`, `{"apiVersion":"tcpstuck/v9"}`, `null`} {
		for name, into := range map[string]any{"dump": &api.FlowList{}, "audit": &audit.Report{}, "stale": &api.StaleList{}, "explain": &flow.Finding{}} {
			if err := read([]byte(answer), into); err == nil || !strings.Contains(err.Error(), "this program reads") {
				t.Errorf("%s is answered %s: %v", name, answer, err)
			}
		}
	}
}

func TestNoAgents(t *testing.T) {
	c := &cluster{err: errors.New("namespace tcpstuck of https://c has no agents")}
	for _, args := range [][]string{{"dump"}, {"dump", "--stale"}, {"audit"}, {"explain", "1"}} {
		if code, stdout, stderr := c.run(args...); code != exitError || stdout != "" || stderr != "tcpstuck: namespace tcpstuck of https://c has no agents\n" {
			t.Errorf("%v: %d %q %q", args, code, stdout, stderr)
		}
	}
}

func TestProgress(t *testing.T) {
	w := newWaiting([]agents.Agent{{Node: "1"}, {Node: "2"}, {Node: "3"}, {Node: "4"}, {Node: "5"}, {Node: "6"}, {Node: "7"}})
	w.done("2")
	if got := w.line(); got != "1 of 7 nodes have answered; waiting for 1, 3, 4, 5, 6 and 1 more" {
		t.Error(got)
	}
	for _, node := range []string{"1", "3", "4", "5", "6"} {
		w.done(node)
	}
	if got := w.line(); got != "6 of 7 nodes have answered; waiting for 7" {
		t.Error(got)
	}
}
