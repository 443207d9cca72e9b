package kube_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// bubble is a file that is followed in a bubble of testing/synctest, where time
// passes as soon as every goroutine waits. Its test reports what it changes.
type bubble struct {
	t      *testing.T
	path   string
	state  *cluster.State
	log    *logged
	events chan fsnotify.Event
	parse  func([]byte) (cluster.Objects, error)
}

// inBubble runs a test in a bubble, on a file with some content.
func inBubble(t *testing.T, content string, test func(*bubble)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cluster.yaml")
	write(t, path, content)
	synctest.Test(t, func(t *testing.T) {
		test(&bubble{
			t: t, path: path, state: cluster.New(cluster.Options{MaxStaleness: time.Hour}), log: &logged{},
			events: make(chan fsnotify.Event, 1), parse: kube.Decode,
		})
	})
}

// run opens the file and follows it. Stop ends that, and returns at once.
func (b *bubble) run() (stop func(), ended <-chan error) {
	b.t.Helper()
	log := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f, err := kube.OpenFileInBubble(b.t.Context(), b.path, b.state, log, b.events, b.parse)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	b.t.Cleanup(cancel)
	return cancel, done
}

// changed reports that the file has changed; one report that was not taken yet
// stands for more.
func (b *bubble) changed() {
	select {
	case b.events <- fsnotify.Event{Name: b.path}:
	default:
	}
}

// write changes the content.
func (b *bubble) write(content string) {
	b.t.Helper()
	write(b.t, b.path, content)
	b.changed()
}

// grow writes the file piece by piece, and calls between after each.
func (b *bubble) grow(pieces []string, between func()) {
	b.t.Helper()
	file, err := os.Create(b.path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer file.Close()
	for _, piece := range pieces {
		if _, err := file.WriteString(piece); err != nil {
			b.t.Fatal(err)
		}
		b.changed()
		between()
	}
}
