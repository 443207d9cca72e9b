package kube_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
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
	inBubble(t, running, func(b *bubble) {
		begun, parsed := make(chan struct{}), make(chan struct{})
		b.parse = func(data []byte) (cluster.Objects, error) {
			if string(data) != running { // the large one
				close(begun)
				<-parsed
			}
			return kube.Decode(data)
		}
		stop, ended := b.run()
		b.write(large(1))
		<-begun
		stop()
		synctest.Wait()
		select {
		case err := <-ended:
			if err != nil {
				b.t.Error(err)
			}
		default:
			b.t.Error("it waits for the reading")
		}
		close(parsed)
		if h := b.state.Health(time.Now()); !h.Up || b.log.count("level=WARN") > 0 {
			b.t.Errorf("%+v, %s", h, &b.log.Output)
		}
	})
}

// A large file that changes all the time takes a fifth of a core.
func TestALargeFileIsReadSeldom(t *testing.T) {
	const takes = 2 * time.Second
	inBubble(t, running, func(b *bubble) {
		b.parse = func(data []byte) (cluster.Objects, error) {
			time.Sleep(takes)
			return kube.Decode(data)
		}
		b.run()
		for began := time.Now(); time.Since(began) < 12*takes; time.Sleep(takes / 50) {
			b.changed()
		}
		synctest.Wait()
		// The first, and one each five times that long.
		if n := b.log.count("read cluster state"); n != 3 {
			b.t.Errorf("%d readings of %s each in %s", n, takes, 12*takes)
		}
	})
}
