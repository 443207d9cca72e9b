package kube_test

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/progtest"
	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

var backend = netip.MustParseAddrPort("192.168.136.2:8000")

// deleted and running are readings in which the backend's pod is gone, and
// in which it runs.
const (
	head    = "apiVersion: v1\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: other, namespace: default, uid: u-0}}\n"
	tail    = "kind: List\n"
	deleted = head + tail
	running = head + "- {apiVersion: v1, kind: Pod, metadata: {name: server-1, namespace: default, uid: u-1}, status: {podIP: 192.168.136.2}}\n" + tail
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// rename writes a file beside path and puts it in its place.
func rename(t *testing.T, path, content string) {
	t.Helper()
	write(t, path+".new", content)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// swap points a symbolic link elsewhere, in one step.
func swap(t *testing.T, link, to string) {
	t.Helper()
	if err := os.Symlink(to, link+"_tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+"_tmp", link); err != nil {
		t.Fatal(err)
	}
}

// logged is what a source logs.
type logged struct{ progtest.Output }

func (l *logged) count(what string) int { return strings.Count(l.String(), what) }

// run opens the file and follows it until the test ends.
func run(t *testing.T, path string) (*cluster.State, *logged) {
	t.Helper()
	s, l := cluster.New(cluster.Options{MaxStaleness: time.Hour}), &logged{}
	f, err := kube.OpenFile(t.Context(), path, s, slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		awaitParsers(t) // a dropped reading runs on for a while
	})
	return s, l
}

// await waits for the state to say that something changed, until ok.
func await(t *testing.T, s *cluster.State, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-s.Changed():
		case <-deadline:
			t.Fatalf("%s: not within a minute; %+v; %+v", what, s.Backend(backend, time.Now()), s.Health(time.Now()))
		}
	}
}

// eventually waits for what the state does not signal.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func awaitState(t *testing.T, s *cluster.State, want flow.BackendState) {
	t.Helper()
	await(t, s, string(want), func() bool { return s.Backend(backend, time.Now()).State == want })
}

func TestFileFollowsEveryWayToReplaceIt(t *testing.T) {
	for _, way := range []struct {
		name string
		make func(t *testing.T, dir string) (path string, replace func(content string))
	}{
		{"rename", func(t *testing.T, dir string) (string, func(string)) {
			path := filepath.Join(dir, "cluster.yaml")
			write(t, path, running)
			return path, func(c string) { rename(t, path, c) }
		}},
		{"in place", func(t *testing.T, dir string) (string, func(string)) {
			path := filepath.Join(dir, "cluster.yaml")
			write(t, path, running)
			return path, func(c string) { write(t, path, c) }
		}},
		{"removed and written", func(t *testing.T, dir string) (string, func(string)) {
			path := filepath.Join(dir, "cluster.yaml")
			write(t, path, running)
			return path, func(c string) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				write(t, path, c)
			}
		}},
		{"as a ConfigMap", func(t *testing.T, dir string) (string, func(string)) {
			version := 0
			replace := func(c string) {
				version++
				name := "..version" + string(rune('0'+version))
				if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, name, "cluster.yaml"), c)
				old, err := os.Readlink(filepath.Join(dir, "..data"))
				swap(t, filepath.Join(dir, "..data"), name)
				if err == nil {
					if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
						t.Fatal(err)
					}
				}
			}
			replace(running)
			path := filepath.Join(dir, "cluster.yaml")
			if err := os.Symlink("..data/cluster.yaml", path); err != nil {
				t.Fatal(err)
			}
			return path, replace
		}},
		{"behind a link into another folder", func(t *testing.T, dir string) (string, func(string)) {
			target, path := filepath.Join(t.TempDir(), "real.yaml"), filepath.Join(dir, "cluster.yaml")
			write(t, target, running)
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			return path, func(c string) { rename(t, target, c) }
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			path, replace := way.make(t, t.TempDir())
			s, _ := run(t, path)
			awaitState(t, s, flow.BackendListed)
			for _, want := range []flow.BackendState{flow.BackendDeleted, flow.BackendListed, flow.BackendDeleted} {
				content := running
				if want == flow.BackendDeleted {
					content = deleted
				}
				began := time.Now()
				replace(content)
				awaitState(t, s, want)
				if took := time.Since(began); took > time.Second { // without an event it is looked at each 5 s
					t.Errorf("%s after %s", want, took)
				}
			}
		})
	}
}

func TestFileKeepsTheLastGoodReading(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, path, running)
	s, l := run(t, path)
	awaitUp := func(want bool) {
		t.Helper()
		await(t, s, "health", func() bool { return s.Health(time.Now()).Up == want })
	}
	awaitUp(true)
	if h := s.Health(time.Now()); h.Detail != "file "+path {
		t.Errorf("%+v", h)
	}
	rename(t, path, strings.TrimSuffix(deleted, tail)) // valid YAML, too short
	awaitUp(false)
	if b := s.Backend(backend, time.Now()); b.State != flow.BackendListed {
		t.Errorf("half a list: %+v", b)
	}
	if h := s.Health(time.Now()); !strings.Contains(h.Detail, path) || !strings.Contains(h.Detail, kube.ErrNoList.Error()) {
		t.Errorf("%+v", h)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "removal", func() bool { return strings.Contains(s.Health(time.Now()).Detail, "no such file") })
	write(t, path, deleted)
	awaitUp(true)
	awaitState(t, s, flow.BackendDeleted)
	eventually(t, "the recovery is reported", func() bool { return l.count("readable again") > 0 })
	if n, m := l.count("level=WARN"), l.count("readable again"); n != 1 || m != 1 {
		t.Errorf("%d warnings, %d recoveries, want one each", n, m)
	}
}

func TestFileIsReadTenTimesASecondAtMost(t *testing.T) {
	inBubble(t, running, func(b *bubble) {
		b.run()
		for began := time.Now(); time.Since(began) < time.Second; time.Sleep(5 * time.Millisecond) {
			b.changed()
		}
		b.write(deleted)
		awaitState(b.t, b.state, flow.BackendDeleted)
		// The first reading, one each 100 ms, and the last.
		if n := b.log.count("read cluster state"); n < 8 || n > 12 {
			b.t.Errorf("%d readings in a second", n)
		}
	})
}

func TestFileFollowsAFolderThatIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "cluster.yaml")
	fill := func(content string) {
		t.Helper()
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, content)
	}
	fill(running)
	s, _ := run(t, path)
	awaitState(t, s, flow.BackendListed)
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	await(t, s, "down", func() bool { return !s.Health(time.Now()).Up })
	fill(deleted) // where nothing watches any more
	awaitState(t, s, flow.BackendDeleted)
	rename(t, path, running) // where it does again
	awaitState(t, s, flow.BackendListed)
}

func TestOpenFileRefuses(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	write(t, broken, "kind: Pod\n")
	for _, path := range []string{broken, filepath.Join(dir, "absent.yaml"), filepath.Join(dir, "no", "folder.yaml")} {
		s := cluster.New(cluster.Options{})
		if f, err := kube.OpenFile(t.Context(), path, s, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, %v", path, f, err)
		}
	}
}

// A pipe, or a device, could keep the agent reading for ever: at the start and
// later.
func TestWhatIsNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.yaml")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1)
	go func() {
		_, err := kube.OpenFile(t.Context(), path, cluster.New(cluster.Options{}), slog.New(slog.DiscardHandler))
		refused <- err
	}()
	select {
	case err := <-refused:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for a writer")
	}
}
