package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/scenario"
)

const (
	stuckAfter  = 2 * time.Second
	grace       = 5 * time.Second // from SIGTERM to the end of a process
	agentStarts = 30 * time.Second
)

// agentSpec is what distinguishes one agent from others.
type agentSpec struct {
	name   string
	events string   // its event file; empty: one in the run's directory
	socket string   // its unix socket; empty: one in the run's directory
	scope  []string // network namespaces; nil: those of node-a
	wrap   []string // a program, with arguments, that starts it
	args   []string // further flags
}

// agent is a running agent on node-a.
type agent struct {
	*namespace.Process
	api     *api.Client
	http    *http.Client
	private *http.Client // through the unix socket
	ns      *namespace.Namespace
	spec    agentSpec
	scraped time.Time
	address string // of its metrics
	page    string // of its page
	socket  string
	events  string
	log     string
}

// start starts an agent and does not wait until it is ready.
func (l *Lab) start(spec agentSpec) (*agent, error) {
	ns := l.cluster.Nodes[0].NS
	a := &agent{
		ns: ns, spec: spec,
		events:  cmp.Or(spec.events, filepath.Join(l.dir.Path, spec.name+".events")),
		socket:  cmp.Or(spec.socket, filepath.Join(l.dir.Path, spec.name+".sock")),
		log:     filepath.Join(l.dir.Path, spec.name+".log"),
		address: fmt.Sprintf("127.0.0.1:%d", l.port(spec.name)), page: fmt.Sprintf("127.0.0.1:%d", l.port(spec.name+" page")),
		http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: ns.Dial, DisableKeepAlives: true}},
	}
	scope := spec.scope
	if scope == nil {
		scope = l.cluster.Namespaces(l.cluster.Nodes[0])
	}
	command := append(append([]string{}, spec.wrap...), filepath.Join(l.bin, "tcpstuck-agent"),
		"--cluster-state="+l.cluster.StatePath(), "--socket="+a.socket, "--events-file="+a.events,
		"--web.listen-address="+a.address, "--page-address="+a.page, "--node-name=node-a", "--stuck-after="+stuckAfter.String())
	for _, path := range scope {
		command = append(command, "--scope-netns="+path)
	}
	log, err := os.OpenFile(a.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the agent's log: %w", err)
	}
	defer log.Close()
	if a.Process, err = ns.Start(namespace.Command{Path: command[0], Args: append(command[1:], spec.args...), Log: log}); err != nil {
		return nil, err
	}
	a.api = api.NewClient(a.socket)
	a.private = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", a.socket)
		},
	}}
	l.agents = append(l.agents, a)
	return a, nil
}

// startReady starts an agent and waits until it is ready.
func (l *Lab) startReady(ctx context.Context, spec agentSpec) (*agent, error) {
	a, err := l.start(spec)
	if err != nil {
		return nil, err
	}
	return a, a.awaitReady(ctx)
}

func (a *agent) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, agentStarts)
	defer cancel()
	err := await(ctx, func() (bool, error) {
		if err := a.living(); err != nil {
			return false, err
		}
		_, status, err := a.get(ctx, a.address, "/readyz")
		return err == nil && status == http.StatusOK, nil
	})
	if err != nil {
		return fmt.Errorf("wait for agent %s to be ready: %w\n%s", a.spec.name, err, a.tail())
	}
	return nil
}

// living returns an error if the agent has ended.
func (a *agent) living() error {
	select {
	case <-a.Done():
		return fmt.Errorf("agent %s has ended: %w\n%s", a.spec.name, a.Err(), a.tail())
	default:
		return nil
	}
}

func (a *agent) get(ctx context.Context, address, path string) (body []byte, status int, err error) {
	return fetch(ctx, a.http, "http://"+address+path)
}

func fetch(ctx context.Context, client *http.Client, url string) (body []byte, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return body, resp.StatusCode, err
}

// flows returns every live finding, suppressed ones included.
func (a *agent) flows(ctx context.Context) ([]flow.Finding, error) {
	list, err := a.api.Flows(ctx, api.Query{Suppressed: true, Brief: true})
	return list.Flows, err
}

// metrics scrapes the agent. No other goroutine may do so meanwhile: metrics
// waits until the answer to the last scrape is too old to be given again.
func (a *agent) metrics(ctx context.Context) (scenario.Metrics, error) {
	if err := pause(ctx, time.Until(a.scraped.Add(scenario.ScrapeAge))); err != nil {
		return nil, err
	}
	defer func() { a.scraped = time.Now() }()
	body, status, err := a.get(ctx, a.address, "/metrics")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("scrape agent %s: status %d: %w", a.spec.name, status, err)
	}
	return scenario.ParseMetrics(strings.NewReader(string(body)))
}

// terminate sends SIGTERM and returns how long the agent took to exit 0.
func (a *agent) terminate() (time.Duration, error) {
	began := time.Now()
	if err := a.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	select {
	case <-a.Done():
	case <-time.After(grace):
		return grace, errors.Join(fmt.Errorf("agent %s was still there %v after SIGTERM\n%s", a.spec.name, grace, a.tail()), a.Kill())
	}
	a.api.Close()
	took := time.Since(began)
	if err := a.Err(); err != nil {
		return took, fmt.Errorf("agent %s after SIGTERM: %w\n%s", a.spec.name, err, a.tail())
	}
	if _, err := os.Lstat(a.socket); err == nil {
		return took, fmt.Errorf("agent %s left its socket behind", a.spec.name)
	} else if !errors.Is(err, os.ErrNotExist) {
		return took, err
	}
	return took, nil
}

// tail returns the last lines that the agent logged.
func (a *agent) tail() string {
	b, err := os.ReadFile(a.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
