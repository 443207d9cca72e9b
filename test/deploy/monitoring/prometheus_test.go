package monitoring_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/internal/progtest"
)

// bin is where make build puts the programs.
const bin = "../../../bin"

const config = `global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [rules.yaml]
scrape_configs:
- job_name: tcpstuck
  static_configs:
  - targets: ['127.0.0.1:9797']
`

// TestAlertFiresAndResolves plays the hang that gave tcpstuck its name, with a
// Prometheus that scrapes its agent and has the rules as they are deployed,
// but for their patience. Then it does what tcpstuck says to do.
func TestAlertFiresAndResolves(t *testing.T) {
	privtest.Require(t)
	for _, program := range []string{"prometheus", "conntrack", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			privtest.Missing(t, "needs "+program)
		}
	}
	netns, socket := hang(t)
	p := prometheus(t, netns)

	alert := p.await(t, "TCPFlowsStuckOnDeletedBackend", true)
	for label, want := range map[string]string{
		"namespace": "default", "workload": "client", "peer_namespace": "default", "peer_service": "server", "port": "8000", "severity": "critical",
	} {
		if alert.Labels[label] != want {
			t.Errorf("label %s is %q, want %q", label, alert.Labels[label], want)
		}
	}
	for annotation, want := range map[string]string{
		"summary":     `^1 TCP connections of default/client to default/server:8000 hang`,
		"description": `^The kernel gives the first of them up in 1[4-7]m \d+s`,
	} {
		if !regexp.MustCompile(want).MatchString(alert.Annotations[annotation]) {
			t.Errorf("%s: %q", annotation, alert.Annotations[annotation])
		}
	}
	if _, ok := alert.Labels["cause"]; ok {
		t.Error("a revision of the cause would make another alert of it")
	}

	cure(t, netns, socket)
	p.await(t, "TCPFlowsStuckOnDeletedBackend", false)
	for _, name := range []string{"TcpstuckAbsent", "TcpstuckDegraded", "TcpstuckLosingRecords", "TCPBytesLost"} {
		if a, ok := must[map[string]alertState](t)(p.firing())[name]; ok {
			t.Errorf("%s fires, too: %v", name, a)
		}
	}
}

// hang plays the scenario and keeps it: the client's node and the agent's
// socket.
func hang(t *testing.T) (netns, socket string) {
	t.Helper()
	var said progtest.Output
	run(t, &said, exec.Command(filepath.Join(bin, "reproducer"), "run", "calico", "--keep"))
	directions := regexp.MustCompile(`(?s)tcpstuck dump --socket (\S+).*nsenter --net=(\S+)`)
	await(t, 60*time.Second, "the hang", &said, func() bool { return directions.MatchString(said.String()) })
	found := directions.FindStringSubmatch(said.String())
	return found[2], found[1]
}

// cure runs the command that tcpstuck gives for the one flow that is stuck.
func cure(t *testing.T, netns, socket string) {
	t.Helper()
	out, err := exec.Command(filepath.Join(bin, "tcpstuck"), "dump", "--output=json", "--socket", socket).Output()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
		t.Fatalf("dump: %v\n%s", err, out)
	}
	command := regexp.MustCompile(`"now":\s*"(conntrack -D [^"]+)"`).FindStringSubmatch(string(out))
	if command == nil {
		t.Fatalf("it names no cure:\n%s", out)
	}
	args := append([]string{"--net=" + netns}, strings.Fields(command[1])...)
	if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command[1], err, out)
	}
}

type alertState struct {
	Labels, Annotations map[string]string
	State               string
}

// server is a Prometheus in a network namespace.
type server struct {
	log    *progtest.Output
	client http.Client
}

func prometheus(t *testing.T, netns string) *server {
	t.Helper()
	dir := t.TempDir()
	rules := must[[]byte](t)(os.ReadFile(filepath.Join(deployed, "rules.yaml")))
	rules = regexp.MustCompile(`(?m)^(\s+for:) \d+m$`).ReplaceAll(rules, []byte("$1 2s"))
	for name, content := range map[string]string{"prometheus.yml": config, "rules.yaml": string(rules)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &server{log: new(progtest.Output), client: http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dialIn(netns), DisableKeepAlives: true}}}
	run(t, p.log, exec.Command("nsenter", "--net="+netns, "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:9090"))
	return p
}

// firing returns the alerts that fire, by name.
func (p *server) firing() (map[string]alertState, error) {
	resp, err := p.client.Get("http://127.0.0.1:9090/api/v1/alerts")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct{ Data struct{ Alerts []alertState } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: %w", resp.Status, err)
	}
	all := make(map[string]alertState)
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" {
			all[a.Labels["alertname"]] = a
		}
	}
	return all, nil
}

// await waits until an alert fires, or does no longer.
func (p *server) await(t *testing.T, name string, want bool) alertState {
	t.Helper()
	var a alertState
	await(t, 60*time.Second, fmt.Sprintf("%s to fire: %v", name, want), p.log, func() bool {
		firing, err := p.firing()
		var fires bool
		a, fires = firing[name]
		return err == nil && fires == want
	})
	return a
}

// run starts a program and ends it with the test.
func run(t *testing.T, out *progtest.Output, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Errorf("%s does not end", cmd)
			_ = cmd.Process.Kill()
		}
	})
}

func await(t *testing.T, patience time.Duration, what string, log *progtest.Output, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s\n%s", what, log)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// dialIn returns a dialer whose connections start in a network namespace.
func dialIn(netns string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		type result struct {
			conn net.Conn
			err  error
		}
		done := make(chan result)
		go func() {
			// The thread is in the namespace for good, and dies with the goroutine.
			runtime.LockOSThread()
			ns, err := os.Open(netns)
			if err == nil {
				err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
				ns.Close()
			}
			if err != nil {
				done <- result{nil, err}
				return
			}
			d := net.Dialer{FallbackDelay: -1} // the socket is made on this thread
			conn, err := d.DialContext(ctx, network, address)
			done <- result{conn, err}
		}()
		r := <-done
		return r.conn, r.err
	}
}
