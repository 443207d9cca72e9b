package kube_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// kindFirst are the pieces of a list of which each beginning is a list, too.
var kindFirst = []string{
	"apiVersion: v1\nkind: List\nitems:\n",
	"- {apiVersion: v1, kind: Pod, metadata: {name: other, namespace: default, uid: u-0}}\n",
	"- {apiVersion: v1, kind: Pod, metadata: {name: another, namespace: default, uid: u-2}}\n",
	"- {apiVersion: v1, kind: Pod, metadata: {name: last, namespace: default, uid: u-3}}\n",
	"- {apiVersion: v1, kind: Pod, metadata: {name: server-1, namespace: default, uid: u-1}, status: {podIP: 192.168.136.2}}\n",
}

// grow writes the file piece by piece, and calls between after each.
func grow(t *testing.T, path string, pieces []string, between func()) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		if _, err := file.WriteString(piece); err != nil {
			t.Fatal(err)
		}
		between()
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAnUnfinishedListDeletesNoPod(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, path, running)
	s, l := run(t, path)
	awaitState(t, s, flow.BackendListed)
	// 600 ms: each piece is read, and none rests, though all of them together
	// take longer than that.
	grow(t, path, kindFirst, func() {
		for end := time.Now().Add(600 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if b := s.Backend(backend, time.Now()); b.State != flow.BackendListed {
				t.Fatalf("half a list is believed: %+v", b)
			}
		}
	})
	if !s.Health(time.Now()).Up || l.count("level=WARN") > 0 {
		t.Errorf("it is reported: %+v", s.Health(time.Now()))
	}
}

func TestAListWithoutAnEndCountsOnceItSettles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, path, strings.Join(kindFirst, ""))
	s, l := run(t, path)
	began := time.Now()
	if b := s.Backend(backend, began); b.State != flow.BackendUnknown {
		t.Errorf("at once: %+v", b)
	}
	awaitState(t, s, flow.BackendListed)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it counts after %s", took)
	}
	began = time.Now()
	rename(t, path, strings.Join(kindFirst[:2], ""))
	awaitState(t, s, flow.BackendDeleted)
	if took := time.Since(began); took < 2*time.Second || took > 10*time.Second {
		t.Errorf("it counts after %s", took)
	}
	if l.count("level=WARN") > 0 {
		t.Error("it is reported as a failure")
	}
}

// What proves its end is read at once, whatever was waited for before.
func TestAListThatProvesItsEndCountsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	whole := strings.Join(kindFirst, "")
	write(t, path, whole)
	s, _ := run(t, path)
	const pods = `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"other","namespace":"default","uid":"u-0"}}]}`
	for _, c := range []struct {
		content string
		want    flow.BackendState
	}{
		{running, flow.BackendListed},
		{strings.Join(kindFirst[:2], "") + "...\n", flow.BackendDeleted},
		{strings.ReplaceAll(running, "\n", "\r\n"), flow.BackendListed},
		{pods, flow.BackendDeleted},
		{whole + "...", flow.BackendListed},
		{"---\n" + deleted, flow.BackendDeleted},
	} {
		began := time.Now()
		write(t, path, whole) // does not count
		time.Sleep(150 * time.Millisecond)
		write(t, path, c.content)
		awaitState(t, s, c.want)
		if took := time.Since(began); took > time.Second {
			t.Errorf("%q counts after %s", c.content, took)
		}
	}
}

// The time before a list that proves its end came in between does not count.
func TestAListThatComesAgainHasToSettleAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, path, running)
	s, l := run(t, path)
	awaitState(t, s, flow.BackendListed)
	seen, cut := time.Now(), strings.Join(kindFirst[:2], "")
	rename(t, path, cut)
	time.Sleep(200 * time.Millisecond) // it is read, without a signal
	rename(t, path, running)
	eventually(t, "read again", func() bool { return l.count("read cluster state") > 1 })
	time.Sleep(time.Until(seen.Add(2500 * time.Millisecond)))
	began := time.Now()
	rename(t, path, cut)
	awaitState(t, s, flow.BackendDeleted)
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("it counts after %s", took)
	}
}

func TestAListThatNeverSettles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, path, running)
	s, _ := run(t, path)
	began, n := time.Now(), 0
	for s.Health(time.Now()).Up {
		if n++; time.Since(began) > 20*time.Second {
			t.Fatal("the records count as read, and are old")
		}
		write(t, path, kindFirst[0]+kindFirst[n%2+1])
		time.Sleep(400 * time.Millisecond)
	}
	if h := s.Health(time.Now()); !strings.Contains(h.Detail, "does not stay the same for 2s") {
		t.Errorf("%+v", h)
	}
	if b := s.Backend(backend, time.Now()); b.State != flow.BackendListed {
		t.Errorf("%+v", b)
	}
}

func TestAFileThatIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, path, running)
	s, _ := run(t, path)
	awaitState(t, s, flow.BackendListed)
	if err := os.Truncate(path, 64<<20+1); err != nil {
		t.Fatal(err)
	}
	await(t, s, "refused", func() bool { return strings.Contains(s.Health(time.Now()).Detail, "larger than the 64 MiB") })
	if b := s.Backend(backend, time.Now()); b.State != flow.BackendListed {
		t.Errorf("what was known is lost: %+v", b)
	}
	if _, err := kube.OpenFile(t.Context(), path, cluster.New(cluster.Options{}), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("at the start: %v", err)
	}
}
