package scenario

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/internal/progtest"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// TestMain plays, under the agent's name, an agent that is up and sees
// nothing; under the CLI's name, the CLI of one.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "tcpstuck-agent":
		if err := deafAgent(os.Args[1:]); err != nil {
			panic(err)
		}
		return
	case "tcpstuck":
		fmt.Println("nothing is stuck")
		return
	}
	goleak.VerifyTestMain(m)
}

// deafAgent is ready at once, has all metrics at zero and reports nothing.
func deafAgent(args []string) error {
	flags := flag.NewFlagSet("tcpstuck-agent", flag.ExitOnError)
	var events, address string
	flags.StringVar(&events, "events-file", "", "")
	flags.StringVar(&address, "web.listen-address", "", "")
	for _, name := range []string{"cluster", "cluster-state", "socket", "node-name", "stuck-after", "scope-netns", "name"} {
		flags.String(name, "", "")
	}
	_ = flags.Parse(args) // ExitOnError
	if err := os.WriteFile(events, nil, 0o600); err != nil {
		return err
	}
	http.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"tcpstuck_retransmissions_total", "tcpstuck_closing_flows", "tcpstuck_external_server_flows"} {
			fmt.Fprintf(w, "%s 0\n", name)
		}
	})
	failed := make(chan error)
	go func() { failed <- http.ListenAndServe(address, nil) }()
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	select {
	case err := <-failed:
		return err
	case <-term:
		return nil
	}
}

// deafPrograms returns a directory with the echo program and the deaf agent.
func deafPrograms(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	if err := progtest.Build("../../..", "reproducer/echo", filepath.Join(bin, "echo"), progtest.Small); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tcpstuck-agent", "tcpstuck"} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// TestDeafAgentPassesNoScenario: not even a control, where silence is what is
// asked for.
func TestDeafAgentPassesNoScenario(t *testing.T) {
	privtest.Require(t)
	bin := deafPrograms(t)
	const (
		atOnce   = 16 // they mostly wait, so more than there are processors
		patience = 300 * time.Millisecond
	)
	var all sync.WaitGroup
	defer all.Wait()
	turn := make(chan struct{}, atOnce)
	play := func(s Scenario) {
		t.Run(s.Name, func(t *testing.T) {
			base := t.TempDir()
			r, err := Run(t.Context(), Options{Bin: bin, Base: base, Family: cluster.IPv4, Out: t.Output(), Patience: patience}, s, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.OK || r.Reason == "" {
				t.Errorf("a deaf agent passes, reason %q", r.Reason)
			}
			if !s.Expected.Control() && !strings.HasPrefix(r.Reason, "nothing was reported") {
				t.Errorf("it fails for another reason: %s", r.Reason)
			}
			if r.Found != nil {
				t.Errorf("it found %+v", r.Found)
			}
			if left, _ := filepath.Glob(filepath.Join(base, "*")); len(left) > 0 {
				t.Errorf("left behind: %s", left)
			}
		})
	}
	for _, s := range slices.Backward(All()) { // the controls take longest
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			play(s)
		})
	}
}

func TestAgentThatDoesNotStartIsAnError(t *testing.T) {
	privtest.Require(t)
	bin := deafPrograms(t)
	agent := filepath.Join(bin, "tcpstuck-agent")
	if err := os.Remove(agent); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(agent, []byte("#!/bin/sh\necho no BTF >&2; exit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	start := time.Now()
	_, err := Run(t.Context(), Options{Bin: bin, Base: base, Family: cluster.IPv4, Out: t.Output()}, calico(), nil)
	if err == nil || !strings.Contains(err.Error(), "no BTF") {
		t.Errorf("want what the agent said, got %v", err)
	}
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("it took %s to notice", d)
	}
	if left, _ := filepath.Glob(filepath.Join(base, "*")); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func TestInterruptedRunCleansUp(t *testing.T) {
	privtest.Require(t)
	base := t.TempDir()
	ctx, interrupt := context.WithCancel(t.Context())
	opts := Options{Bin: deafPrograms(t), Base: base, Family: cluster.IPv4, Out: interruptAt{"watching for", interrupt}}
	if _, err := Run(ctx, opts, lossy(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("want that it was cancelled, got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(base, "*")); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

// interruptAt calls a function when a timeline says something.
type interruptAt struct {
	what string
	call func()
}

func (i interruptAt) Write(line []byte) (int, error) {
	if strings.Contains(string(line), i.what) {
		i.call()
	}
	return len(line), nil
}
