package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// TestMain is the echo program itself when it is called with arguments that
// no test has.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "server", "client", "proxy", "consume", "produce":
			main()
			return
		}
	}
	goleak.VerifyTestMain(m)
}

// program is a running echo program.
type program struct {
	cmd     *exec.Cmd
	records chan record.Record
	log     string // file
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{records: make(chan record.Record, 1000), log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(os.Args[0], append(args, "--record", "/dev/stdout")...)
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.records)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var r record.Record
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				p.records <- r
			}
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	return p
}

// await returns the next record of a kind.
func (p *program) await(t *testing.T, kind record.Kind) record.Record {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case r, more := <-p.records:
			if !more {
				t.Fatalf("the program ended without %s", kind)
			}
			if r.Kind == kind {
				return r
			}
		case <-timeout:
			t.Fatalf("no %s in time", kind)
		}
	}
}

func (p *program) term(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

func startPair(t *testing.T, serverFlags ...string) (server, client *program) {
	t.Helper()
	server = start(t, append([]string{"server", "--listen", "127.0.0.1:0"}, serverFlags...)...)
	listening := server.await(t, record.Listening)
	client = start(t, "client", "--server", listening.Local.String(), "--interval", "20ms")
	client.await(t, record.Read)
	return server, client
}

var changing = regexp.MustCompile(`(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d|127\.0\.0\.1:\d+`)

func TestClientLog(t *testing.T) {
	server := start(t, "server", "--listen", "127.0.0.1:0")
	listening := server.await(t, record.Listening)
	client := start(t, "client", "--server", listening.Local.String(), "--interval", "1h")
	connected := client.await(t, record.Connected)
	client.await(t, record.Read)
	_ = server.cmd.Process.Kill()
	client.await(t, record.Closed)
	client.term(t)
	if err := client.cmd.Wait(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(client.log)
	if err != nil {
		t.Fatal(err)
	}
	log := strings.ReplaceAll(string(b), connected.Local.String(), "LOCAL")
	log = strings.ReplaceAll(log, connected.Remote.String(), "REMOTE")
	golden.Check(t, "testdata/client.golden", changing.ReplaceAll([]byte(log), []byte("2023/09/01 17:54:26")))
}

func TestServerAtSIGTERM(t *testing.T) {
	t.Run("ends", func(t *testing.T) {
		server, client := startPair(t)
		server.term(t)
		client.await(t, record.Closed)
	})
	t.Run("catch-sigterm: goes on", func(t *testing.T) {
		server, client := startPair(t, "--catch-sigterm")
		server.term(t)
		for since := time.Now(); client.await(t, record.Read).Time.Sub(since) < 200*time.Millisecond; {
		}
	})
	t.Run("drain: serves on, then closes and ends", func(t *testing.T) {
		const drain = 300 * time.Millisecond
		server, client := startPair(t, "--drain", drain.String())
		term := time.Now()
		server.term(t)
		closed := client.await(t, record.Closed)
		if d := closed.Time.Sub(term); d < drain {
			t.Errorf("the connection was closed after %s, before the drain of %s was over", d, drain)
		}
		if err := server.cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
}

func TestServerPushes(t *testing.T) {
	server := start(t, "server", "--listen", "127.0.0.1:0", "--push", "20ms")
	listening := server.await(t, record.Listening)
	client := start(t, "client", "--idle", "--connections", "3", "--server", listening.Local.String())
	ports := map[uint16]bool{}
	for range 3 {
		ports[client.await(t, record.Connected).Local.Port()] = true
	}
	if len(ports) != 3 {
		t.Errorf("%d connections, want 3", len(ports))
	}
	for len(ports) > 0 { // each of them is sent something
		delete(ports, server.await(t, record.Write).Remote.Port())
	}
}

func TestClientHoldsAfterItsRequests(t *testing.T) {
	server := start(t, "server", "--listen", "127.0.0.1:0")
	listening := server.await(t, record.Listening)
	client := start(t, "client", "--requests", "2", "--interval", "20ms", "--server", listening.Local.String())
	client.await(t, record.Read)
	client.await(t, record.Read)
	_ = server.cmd.Process.Kill() // the client does not look
	select {
	case r := <-client.records:
		t.Errorf("after its last request: %+v", r)
	case <-time.After(200 * time.Millisecond):
	}
	client.term(t)
	client.await(t, record.Closed)
}

func TestClientStreams(t *testing.T) {
	for name, flags := range map[string][]string{"drinking": nil, "sipping": {"--sip", "50ms"}} {
		t.Run(name, func(t *testing.T) {
			server := start(t, append([]string{"server", "--listen", "127.0.0.1:0", "--discard"}, flags...)...)
			listening := server.await(t, record.Listening)
			client := start(t, "client", "--stream", "1000", "--interval", "1ms", "--server", listening.Local.String())
			var wrote int64
			began := time.Now()
			for n := int64(1); n <= 100; n++ {
				if wrote = client.await(t, record.Wrote).Bytes; wrote != n*1000 {
					t.Fatalf("write %d made it %d bytes, want %d", n, wrote, n*1000)
				}
			}
			var reads time.Duration
			for read := int64(0); read < wrote; reads++ {
				r := server.await(t, record.Read)
				if r.Bytes <= read {
					t.Fatalf("%d bytes read in total, after %d", r.Bytes, read)
				}
				read = r.Bytes
			}
			if d := time.Since(began); flags != nil && d < reads*50*time.Millisecond {
				t.Errorf("%d sips in %s", reads, d)
			}
			client.term(t)
			if err := client.cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSetKeepalive(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for idle, want := range map[time.Duration][]int{0: {0, 7200, 75, 9}, 2 * time.Second: {1, 2, 2, 3}} {
		conn, err := dial(t.Context(), "4", l.Addr().String(), 0, false)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := setKeepalive(conn, idle, 3); err != nil {
			t.Fatal(err)
		}
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		err = raw.Control(func(fd uintptr) {
			for _, o := range [][2]int{
				{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
				{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
			} {
				v, err := unix.GetsockoptInt(int(fd), o[0], o[1])
				if err != nil {
					t.Error(err)
				}
				got = append(got, v)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if idle == 0 {
			got, want = got[:1], want[:1] // the rest is the machine's setting
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("idle %s: -want +got\n%s", idle, diff)
		}
	}
}

func TestDialMultipath(t *testing.T) {
	if _, err := os.Stat("/proc/sys/net/mptcp/enabled"); err != nil {
		t.Skip("this kernel has no MPTCP")
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0") // MPTCP by default
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, family := range []string{"4", "mapped"} {
		for _, want := range []bool{true, false} {
			conn, err := dial(t.Context(), family, l.Addr().String(), 0, want)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			raw, err := conn.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			protocol := 0
			if err := raw.Control(func(fd uintptr) { protocol, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL) }); err != nil {
				t.Fatal(err)
			}
			if err != nil || (protocol == unix.IPPROTO_MPTCP) != want {
				t.Errorf("family %s: protocol %d, %v; MPTCP was asked for: %v", family, protocol, err, want)
			}
		}
	}
}

func TestProxyPassesBothWays(t *testing.T) {
	privtest.Require(t) // its mark
	server := start(t, "server", "--listen", "127.0.0.1:0")
	upstream := server.await(t, record.Listening)
	proxy := start(t, "proxy", "--listen", "127.0.0.1:0", "--server", upstream.Local.String())
	listening := proxy.await(t, record.Listening)
	client := start(t, "client", "--interval", "20ms", "--server", listening.Local.String())
	client.await(t, record.Read)
	client.await(t, record.Read)
	if got, want := proxy.await(t, record.Connected).Local, server.await(t, record.Accepted).Remote; got != want {
		t.Errorf("the server is connected to %s, want the proxy at %s", want, got)
	}
	_ = server.cmd.Process.Kill()
	client.await(t, record.Closed)
}
