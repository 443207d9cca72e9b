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

func TestAnUnfinishedListDeletesNoPod(t *testing.T) {
	inBubble(t, running, func(b *bubble) {
		b.run()
		awaitState(b.t, b.state, flow.BackendListed)
		// 600 ms: each piece is read, and none settles, though all of them together
		// take longer than that.
		b.grow(kindFirst, func() {
			for end := time.Now().Add(600 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if got := b.state.Backend(backend, time.Now()); got.State != flow.BackendListed {
					b.t.Fatalf("half a list counts: %+v", got)
				}
			}
		})
		if !b.state.Health(time.Now()).Up || b.log.count("level=WARN") > 0 {
			b.t.Errorf("it is reported: %+v", b.state.Health(time.Now()))
		}
	})
}

func TestAListWithoutAnEndCountsOnceItSettles(t *testing.T) {
	inBubble(t, strings.Join(kindFirst, ""), func(b *bubble) {
		b.run()
		began := time.Now()
		if got := b.state.Backend(backend, began); got.State != flow.BackendUnknown {
			b.t.Errorf("at once: %+v", got)
		}
		rested := func(want flow.BackendState) {
			b.t.Helper()
			awaitState(b.t, b.state, want)
			if took := time.Since(began); took < 2*time.Second || took > 2200*time.Millisecond {
				b.t.Errorf("%s counts after %s", want, took)
			}
		}
		rested(flow.BackendListed)
		began = time.Now()
		b.write(strings.Join(kindFirst[:2], ""))
		rested(flow.BackendDeleted)
		if b.log.count("level=WARN") > 0 {
			b.t.Error("it is reported as a failure")
		}
	})
}

// A list that proves its end is read at once, even after another had to wait.
func TestAListThatProvesItsEndCountsAtOnce(t *testing.T) {
	whole := strings.Join(kindFirst, "")
	const pods = `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"other","namespace":"default","uid":"u-0"}}]}`
	inBubble(t, whole, func(b *bubble) {
		b.run()
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
			b.write(whole) // does not count
			time.Sleep(150 * time.Millisecond)
			began := time.Now()
			b.write(c.content)
			awaitState(b.t, b.state, c.want)
			if took := time.Since(began); took > 100*time.Millisecond {
				b.t.Errorf("%q counts after %s", c.content, took)
			}
		}
	})
}

// What it was seen as before it gave way to a list that proves its end does
// not count.
func TestAListThatComesAgainHasToSettleAgain(t *testing.T) {
	inBubble(t, running, func(b *bubble) {
		b.run()
		awaitState(b.t, b.state, flow.BackendListed)
		cut := strings.Join(kindFirst[:2], "")
		b.write(cut)
		time.Sleep(200 * time.Millisecond) // it is read, and no signal says so
		b.write(running)
		time.Sleep(2300 * time.Millisecond) // longer than the first would have had to rest
		if n := b.log.count("read cluster state"); n < 2 {
			b.t.Fatalf("%d readings counted", n)
		}
		began := time.Now()
		b.write(cut)
		awaitState(b.t, b.state, flow.BackendDeleted)
		if took := time.Since(began); took < 2*time.Second {
			b.t.Errorf("counts after %s", took)
		}
	})
}

func TestAListThatNeverSettles(t *testing.T) {
	inBubble(t, running, func(b *bubble) {
		b.run()
		for n, began := 0, time.Now(); b.state.Health(time.Now()).Up; n++ {
			if time.Since(began) > 10*time.Second {
				b.t.Fatal("the records count as read, and are old")
			}
			b.write(kindFirst[0] + kindFirst[n%2+1])
			time.Sleep(400 * time.Millisecond)
		}
		if h := b.state.Health(time.Now()); !strings.Contains(h.Detail, "does not stay the same for 2s") {
			b.t.Errorf("%+v", h)
		}
		if got := b.state.Backend(backend, time.Now()); got.State != flow.BackendListed {
			b.t.Errorf("%+v", got)
		}
	})
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
