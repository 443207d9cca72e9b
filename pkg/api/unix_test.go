package api_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"net/netip"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/door"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// serve runs the API on a socket until stop is called.
func serve(t *testing.T, path string, r *flowtest.Reader) (stop func()) {
	t.Helper()
	l, err := api.ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- door.Serve(ctx, l, handler(r), slog.New(slog.DiscardHandler)) }()
	return func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("a clean shutdown is an error: %v", err)
		}
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	reader := flowtest.NewReader()
	stop := serve(t, path, reader)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	if _, err := api.ListenUnix(t.Context(), path); !errors.Is(err, api.ErrInUse) {
		t.Errorf("a second agent gets %v", err)
	}

	client := api.NewClient(path)
	list, err := client.Flows(t.Context(), api.Query{State: api.All, Suppressed: true})
	if err != nil {
		t.Fatal(err)
	}
	about := api.About{APIVersion: "tcpstuck/v1", Node: "node-a", Suspects: 2, Counted: map[flow.Suppression]int{flow.SuppressedExternalClient: 100, flow.SuppressedClosing: 1, flow.SuppressedAtRisk: 0}}
	want := api.FlowList{About: about, Flows: slices.Collect(reader.Each(flow.Selection{Live: true, Ended: true, Words: true})), Sources: reader.Health()}
	if diff := cmp.Diff(want, list, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	f, err := client.Flow(t.Context(), "1f3")
	if diff := cmp.Diff(flowtest.Calico(), f, cmpopts.EquateComparable(netip.AddrPort{})); err != nil || diff != "" {
		t.Errorf("%v, -want +got\n%s", err, diff)
	}
	if _, err = client.Flow(t.Context(), "../status"); err == nil {
		t.Error("a path is taken for an id")
	}
	if _, err = client.Flow(t.Context(), "2b"); err == nil || !strings.HasPrefix(err.Error(), "several flows have ids") {
		t.Errorf("ambiguous prefix: %v", err)
	}
	status, err := client.Status(t.Context())
	if err != nil || status.Stuck != 5 || status.Suspects != 2 || status.Counted["external-client"] != 100 || status.Node != "node-a" {
		t.Errorf("%+v, %v", status, err)
	}
	client.Close()
	stop()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
	if _, err := api.NewClient(path).Status(t.Context()); !errors.Is(err, api.ErrNoAgent) {
		t.Errorf("without an agent: %v", err)
	}
}

func TestASocketMakesNoFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "regular"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"none/agent.sock", "none/deeper/agent.sock", "regular/agent.sock", "regular/deeper/agent.sock"} {
		l, err := api.ListenUnix(t.Context(), filepath.Join(dir, path))
		if err == nil {
			_ = l.Close()
		}
		if err == nil || !strings.HasSuffix(err.Error(), "there is no folder "+filepath.Dir(filepath.Join(dir, path))) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) != 1 {
		t.Errorf("made %v, %v", made, err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as an agent that was killed
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := api.NewClient(path).Status(t.Context()); !errors.Is(err, api.ErrNoAgent) {
		t.Errorf("a stale socket: %v", err)
	}
	stop := serve(t, path, flowtest.NewReader())
	client := api.NewClient(path)
	if _, err := client.Status(t.Context()); err != nil {
		t.Error(err)
	}
	client.Close()
	stop()
}

func TestAFileThatIsNoSocketStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ListenUnix(t.Context(), path); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestListenPage(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "[::]:0", "example.com:0", "9798"} {
		if l, err := api.ListenPage(t.Context(), address); err == nil {
			_ = l.Close()
			t.Errorf("%s is taken for loopback", address)
		}
	}
	l, err := api.ListenPage(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := api.ListenPage(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a busy port: %v", err)
	}
}

func TestSocketPath(t *testing.T) {
	for path, says := range map[string]string{
		"":                             "empty",
		"@tcpstuck-test":               "for everybody",
		"/" + strings.Repeat("x", 107): "longer than the 107 bytes",
	} {
		l, err := api.ListenUnix(t.Context(), path)
		if err == nil {
			_ = l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", path, err, says)
		}
		client := api.NewClient(path)
		if _, err := client.Status(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("ask %q: %v, want %q", path, err, says)
		}
		client.Close()
	}
}

func TestAnAgentThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	l, err := net.Listen("unix", path) // and never accepts
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client := api.NewClient(path)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Status(ctx); !errors.Is(err, api.ErrNoAgent) || !strings.Contains(err.Error(), "in time") {
		t.Errorf("got %v", err)
	}
}
