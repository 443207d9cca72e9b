package kube

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// wire is a connection on which one thing happens after the other.
type wire struct {
	net.Conn
	results []result
}

type result struct {
	n   int
	err error
}

func (w *wire) Read([]byte) (int, error) {
	r := w.results[0]
	w.results = w.results[1:]
	return r.n, r.err
}

func TestActivityIsWhatTheServerSends(t *testing.T) {
	for name, c := range map[string]struct {
		result
		noted bool
	}{
		"a byte":                      {result{n: 1}, true},
		"a byte, and the end":         {result{n: 1, err: io.EOF}, true},
		"the end":                     {result{err: io.EOF}, true},
		"a reset":                     {result{err: &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}}, true},
		"nothing":                     {result{}, false},
		"the kernel gave up":          {result{err: &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}}, false},
		"we closed, of a silent ping": {result{err: &net.OpError{Op: "read", Err: net.ErrClosed}}, false},
		"a deadline of ours":          {result{err: os.ErrDeadlineExceeded}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := new(activity)
			n, err := (&watchedConn{Conn: &wire{results: []result{c.result}}, activity: h}).Read(nil)
			if n != c.n || !errors.Is(err, c.err) {
				t.Errorf("%d, %v", n, err)
			}
			if got := h.at.Load() != nil; got != c.noted {
				t.Errorf("noted: %v, want %v", got, c.noted)
			}
		})
	}
}

// The records are out of date since the server's last activity: at once where
// the server ends the connection, earlier where it vanishes.
func TestSinceWhenASourceIsDown(t *testing.T) {
	for name, silent := range map[string]time.Duration{"a server that ends": 0, "a server that falls silent": 12 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const gap = 10 * time.Second
				state, h := cluster.New(cluster.Options{}), new(activity)
				l := newLink(state, "https://192.0.2.1", h, gap, slog.New(slog.DiscardHandler), "pods")
				l.opened("pods")
				time.Sleep(time.Hour)
				h.note()
				last := time.Now()
				time.Sleep(silent)
				l.closed("pods")
				time.Sleep(gap)
				l.check(time.Now())
				if !state.Health(time.Now()).Up {
					t.Error("a gap that may be a restart counts")
				}
				l.failed("pods", errors.New("connection refused"))
				time.Sleep(time.Second)
				l.check(time.Now())
				got := state.Health(time.Now())
				if want := ", since " + last.UTC().Format("15:04:05"); got.Up || !strings.HasSuffix(got.Detail, want) {
					t.Errorf("%+v, want it down%s", got, want)
				}
			})
		})
	}
}

func TestAnAnswerIsActivity(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	c, err := newClient(Access{config: &rest.Config{Host: s.URL}}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := get[corev1.Pod](t.Context(), c.core, "pods", "default", "client"); err == nil {
		t.Error("there is a pod")
	}
	if c.activity.at.Load() == nil {
		t.Error("it answered, and nothing was noted")
	}
}
