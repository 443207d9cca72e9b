package kube

import (
	"context"
	"log/slog"

	"github.com/fsnotify/fsnotify"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// nowhere watches no folder.
type nowhere struct{}

func (nowhere) Add(string) error    { return nil }
func (nowhere) Remove(string) error { return nil }
func (nowhere) WatchList() []string { return nil }
func (nowhere) Close() error        { return nil }

// OpenFileInBubble is OpenFile for a bubble of testing/synctest, which a kernel
// that may report a change at any time would keep from passing time: events
// come from the test, and parse stands for Decode.
func OpenFileInBubble(
	ctx context.Context, path string, state *cluster.State, log *slog.Logger,
	events <-chan fsnotify.Event, parse func([]byte) (cluster.Objects, error),
) (*File, error) {
	f := &File{path: path, state: state, log: log, watcher: nowhere{}, events: events, parse: parse}
	return f, f.open(ctx)
}
