package door_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/pkg/door"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long anything may take on a busy machine.
const patience = time.Minute

// open serves a handler behind a door until the test ends.
func open(t *testing.T, network string, places int, h http.Handler) (address string) {
	t.Helper()
	address = "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	var l net.Listener
	var err error
	if network == "tcp" {
		l, err = door.Listen(t.Context(), address)
	} else {
		l, err = (&net.ListenConfig{}).Listen(t.Context(), network, address)
	}
	if err != nil {
		t.Fatal(err)
	}
	serve(t, door.Guard(l, places), h, (*http.Server).Serve)
	return l.Addr().String()
}

func serve(t *testing.T, d *door.Door, h http.Handler, how func(*http.Server, net.Listener) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- door.ServeBy(ctx, d, h, slog.New(slog.DiscardHandler), how) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("a clean shutdown is an error: %v", err)
		}
	})
}

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

const whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// say writes and, where an answer follows, reads its status.
func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, conn net.Conn) int {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// gone waits until the other end has hung up.
func gone(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it still has its place")
	}
}

// However the places are held, the next caller gets an answer.
func TestWhoeverHoldsPlacesTheNextIsAnswered(t *testing.T) {
	const places = 4
	endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/endless" {
			ok(w, r)
			return
		}
		for err := error(nil); err == nil; {
			_, err = w.Write(make([]byte, 64<<10))
		}
	})
	for name, says := range map[string]string{
		"idle":                     whole,
		"silent":                   "",
		"half a header":            "GET / HTTP/1.1\r\nHost:",
		"a body that never comes":  "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
		"chunks that never come":   "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"an answer that is unread": "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n",
		"too much":                 "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 32<<10),
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(name+" on "+network, func(t *testing.T) {
				t.Parallel()
				address := open(t, network, places, endless)
				var first net.Conn
				for n := range 3 * places {
					conn := dial(t, network, address)
					_, _ = io.WriteString(conn, says) // it may be hung up on meanwhile
					if n == 0 {
						first = conn
					}
				}
				honest := dial(t, network, address)
				say(t, honest, whole)
				if code := status(t, honest); code != http.StatusOK {
					t.Errorf("answered with %d", code)
				}
				if network == "unix" || says != "" { // else it is the kernel that has it
					gone(t, first)
				}
			})
		}
	}
}

// The oldest idle connection goes, and no other.
func TestTheOldestIdleOneGoes(t *testing.T) {
	const places = 4
	address := open(t, "tcp", places, ok)
	var held []net.Conn
	for range places + 1 {
		conn := dial(t, "tcp", address)
		say(t, conn, whole)
		status(t, conn)
		held = append(held, conn)
	}
	gone(t, held[0])
	for i, conn := range held[1:] {
		say(t, conn, whole)
		if code := status(t, conn); code != http.StatusOK {
			t.Errorf("number %d: %d", i+2, code)
		}
	}
}

// A request that announces a body is answered before that comes, or the agent
// would owe an answer for as long as a caller likes.
func TestABodyIsNotWaitedFor(t *testing.T) {
	address := open(t, "tcp", 4, ok)
	for _, body := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
		conn := dial(t, "tcp", address)
		began := time.Now()
		say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n"+body+"\r\n\r\n")
		if code := status(t, conn); code != http.StatusOK {
			t.Errorf("%s: %d", body, code)
		}
		if took := time.Since(began); took > 8*time.Second { // its time to send one is 10 s
			t.Errorf("%s: answered after %v", body, took)
		}
	}
}

// An answer that is read slowly is not cut off while there is room.
func TestASlowReaderHasItsAnswerWhileThereIsRoom(t *testing.T) {
	const size = 8 << 20
	address := open(t, "unix", 2, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) }))
	conn := dial(t, "unix", address)
	say(t, conn, whole)
	idle := dial(t, "unix", address)
	for range 8 { // each takes the place of the one before
		say(t, idle, "")
		idle = dial(t, "unix", address)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("%d of %d bytes: %v", n, size, err)
	}
}

func TestHeaders(t *testing.T) {
	address := open(t, "tcp", 4, ok)
	for size, want := range map[int]int{
		15 << 10: http.StatusOK,
		17 << 10: http.StatusRequestHeaderFieldsTooLarge,
	} {
		conn := dial(t, "tcp", address)
		say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", size)+"\r\n\r\n")
		if code := status(t, conn); code != want {
			t.Errorf("%d bytes of headers: %d, want %d", size, code, want)
		}
	}
}

// The door sees what a connection does through TLS, too, with both versions of
// HTTP: one that waits for its answer stays, and the idle ones go.
func TestTLS(t *testing.T) {
	const places = 3
	issuer := httptest.NewTLSServer(ok) // it has a certificate
	defer issuer.Close()
	for name, protocols := range map[string][]string{"HTTP/1.1": {"http/1.1"}, "HTTP/2.0": {"h2"}} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			asked, answer := make(chan struct{}), make(chan struct{})
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					close(asked)
					<-answer
				}
				ok(w, r)
			})
			serve(t, door.Guard(l, places), h, func(s *http.Server, l net.Listener) error {
				s.TLSConfig = &tls.Config{Certificates: issuer.TLS.Certificates, NextProtos: protocols}
				return s.ServeTLS(l, "", "")
			})
			get := func(path string) {
				transport := issuer.Client().Transport.(*http.Transport).Clone()
				transport.ForceAttemptHTTP2 = true
				client := &http.Client{Transport: transport, Timeout: patience}
				t.Cleanup(client.CloseIdleConnections)
				resp, err := client.Get("https://" + l.Addr().String() + path)
				if err != nil {
					t.Errorf("%s: %v", path, err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.Proto != name || resp.StatusCode != http.StatusOK {
					t.Errorf("%s: %s %s", path, resp.Proto, resp.Status)
				}
			}
			var slow sync.WaitGroup
			slow.Go(func() { get("/slow") })
			<-asked
			for range 3 * places { // each stays connected, idle
				get("/")
			}
			close(answer)
			slow.Wait()
		})
	}
}
