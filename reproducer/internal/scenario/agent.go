package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

const (
	agentAddress = "127.0.0.1:9797" // in its node's namespace
	stopGrace    = 5 * time.Second
)

// Agent is the agent under test, running on a node.
type Agent struct {
	*namespace.Process
	cli    string // path of tcpstuck
	socket string
	events string
	log    string
	http   http.Client

	scraping sync.Mutex
	scraped  time.Time
}

// AgentConfig says how to run an agent.
type AgentConfig struct {
	Bin        string // directory of tcpstuck-agent and tcpstuck
	Dir        string // where its socket, its events and its log are made, or found from an earlier life
	Node       *cluster.Node
	Scope      []string // the network namespaces that it watches
	Source     []string // the flags that name its source of cluster records
	StuckAfter time.Duration
	Args       []string // further flags
}

// startPatience is for an agent that starts. An emulated processor takes some
// seconds to load the kernel side, and a minute beside a client that streams.
const startPatience = 3 * time.Minute

// StartAgent runs the agent on a node and waits until it is ready.
func StartAgent(ctx context.Context, cfg AgentConfig) (*Agent, error) {
	n := cfg.Node
	a := &Agent{
		cli:    filepath.Join(cfg.Bin, "tcpstuck"),
		socket: filepath.Join(cfg.Dir, "agent.sock"),
		events: filepath.Join(cfg.Dir, "events.jsonl"),
		log:    filepath.Join(cfg.Dir, "agent.log"),
		http:   http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: n.NS.Dial, DisableKeepAlives: true}},
	}
	args := append(slices.Clone(cfg.Source), "--socket="+a.socket, "--events-file="+a.events,
		"--web.listen-address="+agentAddress, "--node-name="+n.Name, "--stuck-after="+cfg.StuckAfter.String())
	for _, path := range cfg.Scope {
		args = append(args, "--scope-netns="+path)
	}
	log, err := os.OpenFile(a.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the agent's log: %w", err)
	}
	defer log.Close()
	a.Process, err = n.NS.Start(namespace.Command{
		Path: filepath.Join(cfg.Bin, "tcpstuck-agent"), Args: append(args, cfg.Args...), Log: log,
	})
	if err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := await(ready, a.ready); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the agent to be ready: %w\n%s", err, a.Log()), a.Stop(stopGrace))
	}
	return a, nil
}

// Events returns the file that the agent appends its events to.
func (a *Agent) Events() string { return a.events }

// startAgent runs the agent on a node as a scenario wants it. It watches only that node's
// namespaces.
func startAgent(ctx context.Context, opts Options, dir string, c *cluster.Cluster, n *cluster.Node, s Scenario) (*Agent, error) {
	source, err := opts.API.source(n, c)
	if err != nil {
		return nil, err
	}
	return StartAgent(ctx, AgentConfig{
		Bin: opts.Bin, Dir: dir, Node: n, Scope: c.Namespaces(n), Source: source, StuckAfter: s.stuckAfter, Args: s.agentArgs,
	})
}

// ready asks the agent whether it is; an agent that has ended is an error.
func (a *Agent) ready() (bool, error) {
	select {
	case <-a.Done():
		return false, fmt.Errorf("the agent has ended: %w", a.Err())
	default:
	}
	resp, err := a.http.Get("http://" + agentAddress + "/readyz")
	if err != nil {
		return false, nil // it does not listen yet
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK, nil
}

// ScrapeAge is how old an agent's answer to a scrape may be: a scrape that comes
// sooner gets the same.
const ScrapeAge = time.Second

// Scrape reads the agent's present metrics: it waits until the answer to the last scrape is
// too old to be given again.
func (a *Agent) Scrape() (Metrics, error) {
	a.scraping.Lock()
	defer a.scraping.Unlock()
	<-time.After(time.Until(a.scraped.Add(ScrapeAge)))
	defer func() { a.scraped = time.Now() }()
	resp, err := a.http.Get("http://" + agentAddress + "/metrics")
	if err != nil {
		return nil, fmt.Errorf("scrape the agent: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape the agent: %s", resp.Status)
	}
	return ParseMetrics(resp.Body)
}

// CLI runs tcpstuck against the agent and returns what it prints and its exit
// code.
func (a *Agent) CLI(ctx context.Context, args ...string) (out string, code int, err error) {
	cmd := exec.CommandContext(ctx, a.cli, append(args, "--socket", a.socket)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() && exit.ExitCode() < 2 {
		return string(b), exit.ExitCode(), nil
	}
	if err != nil {
		return string(b), 2, fmt.Errorf("tcpstuck %s: %w: %s", strings.Join(args, " "), err, &stderr)
	}
	return string(b), 0, nil
}

// Log returns what the agent logged.
func (a *Agent) Log() string {
	b, err := os.ReadFile(a.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}
