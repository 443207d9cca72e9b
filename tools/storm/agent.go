package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/api"
)

// agent is the real agent on the node of the storm.
type agent struct {
	*process
	ns      *namespace
	socket  string
	cli     string // the tcpstuck command
	client  *api.Client
	metrics *http.Client
}

const metricsAddress = "127.0.0.1:9797"

// startAgent starts bin/tcpstuck-agent and waits until its first file scan is
// done.
func startAgent(ctx context.Context, bin, dir string, w *world, e *eventPipe, more ...string) (*agent, error) {
	n := w.net
	a := &agent{ns: n.node, socket: filepath.Join(dir, "agent.sock"), cli: filepath.Join(bin, "tcpstuck")}
	args := append([]string{
		"--socket=" + a.socket, "--page-address=", "--web.listen-address=" + metricsAddress, "--cluster-state=" + w.cluster.path,
		"--events-file=" + e.path, "--node-name=node-a", "--log-level=error",
	}, more...)
	for _, ns := range []*namespace{n.node, n.backends} {
		inum, err := ns.inode()
		if err != nil {
			return nil, err
		}
		args = append(args, "--scope-netns="+strconv.FormatUint(inum, 10))
	}
	var err error
	if a.process, err = start(n.node, exec.Command(filepath.Join(bin, "tcpstuck-agent"), args...)); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	a.client = api.NewClient(a.socket)
	a.metrics = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = n.node.do(func() error { conn, err = (&net.Dialer{}).DialContext(ctx, network, address); return err })
		return conn, err
	}}}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if resp, err := a.get(ctx, "/readyz"); err == nil && resp != "" {
			return a, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, errors.Join(errors.New("the agent does not become ready"), a.stop(syscall.SIGKILL))
		}
	}
}

func (a *agent) end() error {
	a.client.Close()
	a.metrics.CloseIdleConnections()
	return a.stop(syscall.SIGTERM)
}

func (a *agent) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metricsAddress+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := a.metrics.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s: %w", path, resp.Status, err)
	}
	return string(body), nil
}

// scrape returns the agent's metrics.
func (a *agent) scrape(ctx context.Context) (metrics, error) {
	text, err := a.get(ctx, "/metrics")
	if err != nil {
		return nil, fmt.Errorf("scrape the agent: %w", err)
	}
	return parseMetrics(text), nil
}

// metrics are samples by name and labels, as the exposition has them.
type metrics map[string]float64

func parseMetrics(text string) metrics {
	m := metrics{}
	for line := range strings.Lines(text) {
		at := strings.LastIndexByte(line, ' ')
		if line[0] == '#' || at < 0 {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64); err == nil {
			m[line[:at]] = v
		}
	}
	return m
}

// sum adds up the samples of a family that have all these labels.
func (m metrics) sum(family string, labels ...string) float64 {
	total := 0.0
next:
	for name, v := range m {
		if name != family && !strings.HasPrefix(name, family+"{") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(name, l) {
				continue next
			}
		}
		total += v
	}
	return total
}

// dump runs the command as a person runs it, and returns how long it took.
func (a *agent) dump(args ...string) (time.Duration, error) {
	cmd := exec.Command(a.cli, append([]string{"dump", "--socket=" + a.socket, "--timeout=5m"}, args...)...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	const somethingIsStuck = 1
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == somethingIsStuck {
		err = nil
	}
	if err != nil {
		return took, fmt.Errorf("tcpstuck dump %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return took, nil
}
