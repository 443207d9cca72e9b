package kube_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// large is a list of so many pods, which are slow to read as YAML.
func large(pods int) string {
	var b strings.Builder
	b.WriteString(head)
	for n := range pods {
		fmt.Fprintf(&b, "- {apiVersion: v1, kind: Pod, metadata: {name: pod-%d, namespace: default, uid: u-%[1]d0}, status: {podIP: 10.%d.%d.9}}\n", n, n>>8&0xff, n&0xff)
	}
	b.WriteString(tail)
	return b.String()
}

// awaitParsers waits until all parsing has ended.
func awaitParsers(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		err := goleak.Find()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestOpenFileEndsWithItsContext(t *testing.T) {
	defer awaitParsers(t)
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, path, large(1000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := kube.OpenFile(ctx, path, cluster.New(cluster.Options{}), slog.New(slog.DiscardHandler)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A reading that is under way does not delay the end. That it was dropped is
// not reported as a failure of the file.
func TestRunEndsWhileALargeFileIsRead(t *testing.T) {
	defer awaitParsers(t)
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, path, running)
	s, l := cluster.New(cluster.Options{MaxStaleness: time.Hour}), &logged{}
	f, err := kube.OpenFile(t.Context(), path, s, slog.New(slog.NewTextHandler(l, nil)))
	if err != nil {
		t.Fatal(err)
	}
	content := large(10_000)
	began := time.Now()
	if _, err := kube.Decode([]byte(content)); err != nil {
		t.Fatal(err)
	}
	takes := time.Since(began)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	rename(t, path, content)
	time.Sleep(100*time.Millisecond + takes/10) // it is being read: that begins within 100 ms
	cancel()
	began = time.Now()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > takes/2 {
		t.Errorf("it ends %s later, and a reading takes %s", took, takes)
	}
	if h := s.Health(time.Now()); !h.Up || l.count("level=WARN") > 0 {
		t.Errorf("%+v, %s", h, &l.buf)
	}
}

// A large file that changes all the time takes a fifth of a core.
func TestALargeFileIsReadSeldom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	content := large(1500)
	write(t, path, content)
	began := time.Now()
	if _, err := kube.Decode([]byte(content)); err != nil {
		t.Fatal(err)
	}
	takes := time.Since(began)
	_, l := run(t, path)
	for began = time.Now(); time.Since(began) < 12*takes; time.Sleep(takes / 50) {
		if err := os.Chtimes(path, time.Time{}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	// The first, and one each five times that long.
	if n := l.count("read cluster state"); n < 2 || n > 6 {
		t.Errorf("%d readings of %s each in %s", n, takes, time.Since(began))
	}
}
