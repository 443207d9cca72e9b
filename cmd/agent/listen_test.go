package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/door"
)

// TestAStartThatFailsHoldsNoAddress has a later listener fail: those that were
// open before it are not.
func TestAStartThatFailsHoldsNoAddress(t *testing.T) {
	nowhere(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	socket := filepath.Join(t.TempDir(), "agent.sock")
	for name, c := range map[string]struct {
		metrics, page, socket, says string
		opened                      int
	}{
		"metrics": {busy.Addr().String(), "127.0.0.1:0", socket, "--web.listen-address: serve metrics: listen tcp " + busy.Addr().String() + ": bind: address already in use", 1},
		"page":    {"127.0.0.1:0", "192.0.2.1:0", socket, "--page-address", 2},
		"socket":  {"127.0.0.1:0", "127.0.0.1:0", t.TempDir(), "--socket", 3},
	} {
		t.Run(name, func(t *testing.T) {
			args, err := parse([]string{"--web.listen-address=127.0.0.1:0", "--web.listen-address=" + c.metrics, "--page-address=" + c.page, "--socket=" + c.socket}, "test")
			if err != nil {
				t.Fatal(err)
			}
			l, err := listen(t.Context(), args)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %q", err, c.says)
			}
			opened := l.metrics
			if l.page != nil {
				opened = append(opened, l.page)
			}
			if len(opened) != c.opened {
				t.Errorf("%d were opened, want %d", len(opened), c.opened)
			}
			for _, one := range opened {
				again, err := net.Listen("tcp", one.Addr().String())
				if err != nil {
					t.Errorf("still held: %v", err)
					continue
				}
				_ = again.Close()
			}
		})
	}
}

// The usual socket works on a host where nothing was prepared; any other makes
// no folders.
func TestWhoseFolderIsMade(t *testing.T) {
	for name, c := range map[string]struct {
		socket, usual string // in a folder that is empty
		made          bool
	}{
		"the usual one":                      {"tcpstuck/agent.sock", "tcpstuck/agent.sock", true},
		"the usual one, and no /run":         {"run/tcpstuck/agent.sock", "run/tcpstuck/agent.sock", false},
		"another":                            {"tcpstuk/agent.sock", "tcpstuck/agent.sock", false},
		"another in the folder of the usual": {"tcpstuck/other.sock", "tcpstuck/agent.sock", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.socket)
			for range 2 { // also when the folder is there
				l, err := listenSocket(t.Context(), path, filepath.Join(dir, c.usual))
				if (err == nil) != c.made {
					t.Errorf("got %v", err)
				}
				if err == nil {
					_ = l.Close()
				}
			}
			if made, err := os.ReadDir(dir); err != nil || (len(made) > 0) != c.made {
				t.Errorf("there is %v, %v", made, err)
			}
		})
	}
}

// TestEveryPortIsGuarded: what one port takes in without a limit is missing
// everywhere else.
func TestEveryPortIsGuarded(t *testing.T) {
	nowhere(t)
	args, err := parse([]string{
		"--web.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0",
		"--page-address=127.0.0.1:0", "--socket=" + filepath.Join(t.TempDir(), "agent.sock"),
	}, "test")
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(t.Context(), args)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	all := append(l.metrics, l.page, l.socket)
	if len(all) != 4 {
		t.Fatalf("%d ports", len(all))
	}
	for _, one := range all {
		if _, ok := one.(*door.Door); !ok {
			t.Errorf("%s is open to everybody at once: %T", one.Addr(), one)
		}
	}
}
