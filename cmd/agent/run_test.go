package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/pkg/api"
)

// agent is a configuration that disturbs no other: free ports, a private
// socket, and the scope of a namespace that does not exist.
func agent(t *testing.T, more ...string) config {
	t.Helper()
	privtest.Require(t)
	nowhere(t)
	c, err := parse(append([]string{
		"--web.listen-address=127.0.0.1:0", "--socket=" + filepath.Join(t.TempDir(), "agent.sock"), "--scope-netns=1", "--log-level=error",
	}, more...), "test")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(more, " "), "--page-address") {
		c.pageAddress = "127.0.0.1:0"
	}
	return c
}

// nowhere is a place without any Kubernetes.
func nowhere(t *testing.T) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"KUBECONFIG", "KUBERNETES_SERVICE_HOST"} {
		t.Setenv(name, "")
	}
}

func TestRunAndStop(t *testing.T) {
	defer goleak.VerifyNone(t)
	c := agent(t, "--events-file="+filepath.Join(t.TempDir(), "events"))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, c) }()
	client := api.NewClient(c.socket)
	defer client.Close()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var status api.Status
		if status, err = client.Status(ctx); err == nil && len(status.Sources) > 0 {
			break
		}
	}
	stop()
	if runErr := <-done; runErr != nil || err != nil {
		t.Fatalf("run: %v, status: %v", runErr, err)
	}
	if _, err := os.Stat(c.socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// While the first look is not done, the agent does not say that nothing hangs.
func TestNoFlowIsReportedBeforeTheFirstLook(t *testing.T) {
	defer goleak.VerifyNone(t)
	c := agent(t)
	look := make(chan struct{})
	c.settle = func(func() error) ([]string, error) { <-look; return nil, nil } // the last step before it
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, c) }()
	client := api.NewClient(c.socket)
	defer client.Close()
	awaitSocket(t, c.socket)
	list, err := client.Flows(ctx, api.Query{})
	if !errors.Is(err, api.ErrNotReady) || !strings.HasSuffix(err.Error(), "the first look at all sockets is not done yet") {
		t.Errorf("before: %+v, %v", list, err)
	}
	close(look)
	if _, err := client.Flows(ctx, api.Query{}); err != nil {
		t.Errorf("after: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Reading a large file of records takes seconds: the agent's end does not wait
// for it.
func TestEndedWhileItReadsTheRecords(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.yaml")
	const pod = "- {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default, uid: u-1}}\n"
	if err := os.WriteFile(state, []byte("apiVersion: v1\nitems:\n"+strings.Repeat(pod, 20_000)+"kind: List\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := agent(t, "--cluster-state="+state)
	var said bytes.Buffer
	c.log = slog.New(slog.NewTextHandler(&said, nil))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, c) }()
	awaitSocket(t, c.socket)
	stop()
	if err := <-done; err != nil || said.Len() > 0 { // it would say that it watches
		t.Errorf("%v, it says %s", err, &said)
	}
	for leaks() { // until the file is read in vain
	}
}

// leaks reports whether a goroutine is left. goleak panics at one that has more than a
// hundred frames, as the reader of records has for a moment.
func leaks() (left bool) {
	defer func() { left = recover() != nil || left }()
	return goleak.Find() != nil
}

// awaitSocket waits until an agent listens; it may not serve yet. The file is
// there before that.
func awaitSocket(t *testing.T, path string) {
	t.Helper()
	// An emulated processor loads the kernel side and reads 20,000 pods at once.
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("unix", path); err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no agent listens")
		}
	}
}

func TestWhatCannotStartSaysWhy(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	broken := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(broken, []byte("kind: [List"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, flag, says string }{
		{"metrics port in use", "--web.listen-address=" + busy.Addr().String(), "address already in use"},
		{"page on no port", "--page-address=127.0.0.1:99999", "--page-address"},
		{"page for everybody", "--page-address=0.0.0.0:0", "loopback"},
		{"broken cluster state", "--cluster-state=" + broken, "--cluster-state"},
		{"no cluster state", "--cluster-state=/nowhere/state.yaml", "no such file"},
		{"broken kubeconfig", "--kubeconfig=" + broken, "--cluster=auto: read kubeconfig"},
		{"no kubeconfig", "--kubeconfig=/nowhere/config", "no such file"},
		{"no cluster", "--cluster=kubernetes", "neither in a cluster, nor"},
		{"events file in no folder", "--events-file=/nowhere/events", "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			args := agent(t, c.flag)
			var said bytes.Buffer
			args.log = slog.New(slog.NewTextHandler(&said, nil))
			ctx, stop := context.WithTimeout(context.Background(), time.Minute)
			defer stop()
			err := run(ctx, args)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %v", err)
			}
			if said.Len() > 0 {
				t.Errorf("it logs beside its error: %s", &said)
			}
			if _, err := os.Stat(args.socket); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket is left behind: %v", err)
			}
		})
	}
}
