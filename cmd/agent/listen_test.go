package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/door"
)

// TestAStartThatFailsHoldsNoAddress has a later listener fail: those that were
// open before it are not.
func TestAStartThatFailsHoldsNoAddress(t *testing.T) {
	nowhere(t)
	for name, c := range map[string]struct {
		page, socket, says string
		opened             int
	}{
		"page":   {"192.0.2.1:0", filepath.Join(t.TempDir(), "agent.sock"), "--page-address", 1},
		"socket": {"127.0.0.1:0", t.TempDir(), "--socket", 2},
	} {
		t.Run(name, func(t *testing.T) {
			args, err := parse([]string{"--web.listen-address=127.0.0.1:0", "--page-address=" + c.page, "--socket=" + c.socket}, "test")
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
