package programs

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

// TestAgentCannotStart plays what can be wrong when the agent is started: one
// clear line each, and exit code 2.
func TestAgentCannotStart(t *testing.T) {
	privtest.Require(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"regular": "mine", "broken.yaml": "kind: [List", "other.yaml": "kind: Pod\napiVersion: v1\n", "empty.yaml": "",
		"web.yml": "tls_server_config: [", "unknown.yml": "colour: red\n", "nocert.yml": "tls_server_config: {cert_file: x.pem, key_file: x.key}\n",
	})
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	busy := listen(t, "tcp", "127.0.0.1:0")
	live := listen(t, "unix", filepath.Join(dir, "live.sock"))
	port := busy.Addr().(*net.TCPAddr).Port

	cases := []struct {
		what, args string
		env        []string
	}{
		{"a flag that is none", "--no-such-flag", nil},
		{"an argument", "start", nil},
		{"no duration", "--stuck-after=soon", nil},
		{"no duration, by the environment", "", []string{"TCPSTUCK_STUCK_AFTER=soon"}},
		{"too short", "--stuck-after=10ms", nil},
		{"no number", "--sweep-cpu=much", nil},
		{"no number, by the environment", "", []string{"TCPSTUCK_MAX_SERIES=many"}},
		{"more than a core", "--sweep-cpu=2", nil},
		{"a word that is none", "--log-level=loud", nil},
		{"a word that is none, by the environment", "", []string{"TCPSTUCK_LOG_LEVEL=LOUD"}},
		{"a name without a label", "--name=203.0.113.0/24", nil},
		{"a prefix that is too long", "--name=203.0.113.0/40=db", nil},
		{"a label that would tear lines", "--name=203.0.113.0/24=a\tb", nil},
		{"a namespace that is none", "--scope-netns=/etc/passwd", nil},

		{"a busy port of the metrics", fmt.Sprint("--web.listen-address=127.0.0.1:", port), nil},
		{"no port", "--web.listen-address=localhost", nil},
		{"no address of the metrics", "--web.listen-address=", nil},
		{"an address of another host", "--web.listen-address=192.0.2.1:9797", nil},
		{"a port of the page that is none", "--page-address=127.0.0.1:99999", nil},
		{"a page for everybody", "--page-address=0.0.0.0:9798", nil},
		{"no web configuration", "--web.config.file=DIR/none.yml", nil},
		{"a broken web configuration", "--web.config.file=DIR/web.yml", nil},
		{"an unknown web configuration", "--web.config.file=DIR/unknown.yml", nil},
		{"a web configuration without its certificate", "--web.config.file=DIR/nocert.yml", nil},
		{"a pipe as web configuration", "--web.config.file=DIR/pipe", nil},

		{"a live socket", "--socket=DIR/live.sock", nil},
		{"a file where the socket should be", "--socket=DIR/regular", nil},
		{"a folder where the socket should be", "--socket=DIR", nil},
		{"a file where a folder should be", "--socket=DIR/regular/agent.sock", nil},
		{"no folder for the socket", "--socket=DIR/none/deeper/agent.sock", nil},
		{"a socket without a path", "--socket=", nil},
		{"a socket for everybody", "--socket=@tcpstuck", nil},
		{"a socket's path that is too long", "--socket=/" + strings.Repeat("x", 120), nil},

		{"no cluster state", "--cluster=auto --cluster-state=DIR/none.yaml", nil},
		{"a broken cluster state", "--cluster=auto --cluster-state=DIR/broken.yaml", nil},
		{"something else", "--cluster=auto --cluster-state=DIR/other.yaml", nil},
		{"an empty cluster state", "--cluster=auto --cluster-state=DIR/empty.yaml", nil},
		{"a folder as cluster state", "--cluster=auto --cluster-state=DIR", nil},
		{"a pipe as cluster state", "--cluster=auto --cluster-state=DIR/pipe", nil},
		{"a file, and none named", "--cluster=file", nil},
		{"a file and the API", "--cluster=kubernetes --cluster-state=DIR/broken.yaml", nil},
		{"the API, and none is there", "--cluster=kubernetes", nil},
		{"a broken kubeconfig", "--cluster=kubernetes", []string{"KUBECONFIG=DIR/broken.yaml"}},

		{"events in no folder", "--events-file=DIR/none/events", nil},
		{"events into a folder", "--events-file=DIR", nil},
		{"events into a pipe without a reader", "--events-file=DIR/pipe", nil},
	}
	program(t, "tcpstuck-agent") // is built
	said := make([]string, len(cases))
	var all errgroup.Group
	all.SetLimit(4) // what fails late has loaded the kernel side, and waits for the kernel to let it go
	for n, c := range cases {
		all.Go(func() error {
			env := append([]string{
				"HOME=" + dir, "TCPSTUCK_CLUSTER=none", "TCPSTUCK_SCOPE_NETNS=1",
				"TCPSTUCK_WEB_LISTEN_ADDRESS=127.0.0.1:0", "TCPSTUCK_PAGE_ADDRESS=127.0.0.1:0", fmt.Sprintf("TCPSTUCK_SOCKET=DIR/agent-%d.sock", n),
			}, c.env...)
			var args []string
			if c.args != "" {
				args = strings.Split(strings.ReplaceAll(c.args, "DIR", dir), " ")
			}
			said[n] = run(t, dir, env, "tcpstuck-agent", args...)
			return nil
		})
	}
	_ = all.Wait() // no function returns an error
	var out bytes.Buffer
	for n, c := range cases {
		if lines := strings.Count(said[n], "\n"); lines != 1 {
			t.Errorf("%s: %d lines, want one", c.what, lines)
		}
		fmt.Fprintf(&out, "# %s\n%s\n\n", c.what, strings.ReplaceAll(said[n], fmt.Sprint(port), "PORT"))
	}
	golden.Check(t, "testdata/agent.golden", out.Bytes())
	if got, err := os.ReadFile(filepath.Join(dir, "regular")); string(got) != "mine" {
		t.Errorf("the file at the socket's path: %q, %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder was made for the socket")
	}
	if conn, err := net.Dial("unix", live.Addr().String()); err != nil {
		t.Errorf("the live socket: %v", err)
	} else {
		_ = conn.Close()
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// listen accepts connections and says nothing on them.
func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	return l
}
