package programs

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/golden"
)

// TestCommandCannotAnswer plays what can be wrong when a user asks: each makes
// one clear line and exit code 2.
func TestCommandCannotAnswer(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"regular": "mine"})
	listen(t, "unix", filepath.Join(dir, "silent.sock"))
	other(t, filepath.Join(dir, "other.sock"))

	var out bytes.Buffer
	for _, c := range []struct {
		what, args string
		env        []string
	}{
		{"nothing to do", "", nil},
		{"a command that is none", "cure", nil},
		{"a flag that is none", "dump --everything", nil},
		{"an argument too many", "dump all", nil},
		{"an output that is none", "dump -o xml", nil},
		{"an output that is none, by the environment", "dump", []string{"TCPSTUCK_OUTPUT=xml"}},
		{"a switch that is neither", "dump", []string{"TCPSTUCK_ALL=maybe"}},
		{"no time", "dump --timeout=short", nil},
		{"no id", "explain", nil},
		{"an empty id", "explain ", nil},
		{"no agent", "dump", nil},
		{"no agent, and no folder", "--socket=DIR/none/agent.sock dump", nil},
		{"no socket", "--socket=DIR/regular dump", nil},
		{"no folder", "--socket=DIR/regular/agent.sock dump", nil},
		{"an empty path", "--socket= dump", nil},
		{"a path that is too long", "--socket=/" + strings.Repeat("x", 120) + " dump", nil},
		{"an agent that hangs", "--socket=DIR/silent.sock --timeout=200ms dump", nil},
		{"an agent that hangs, and one flow", "--socket=DIR/silent.sock --timeout=200ms explain 1", nil},
		{"somebody else's socket", "--socket=DIR/other.sock dump", nil},
		{"somebody else's socket, and the audit", "--socket=DIR/other.sock audit", nil},
	} {
		var args []string
		if c.args != "" {
			args = strings.Split(strings.ReplaceAll(c.args, "DIR", dir), " ")
		}
		said := run(t, dir, append([]string{"TCPSTUCK_SOCKET=DIR/agent.sock"}, c.env...), "tcpstuck", args...)
		fmt.Fprintf(&out, "# %s\n%s\n\n", c.what, said)
	}
	golden.Check(t, "testdata/tcpstuck.golden", out.Bytes())
}

// other serves something that is no agent.
func other(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "audit") {
			http.Error(w, "<html>no", http.StatusNotFound)
			return
		}
		_, _ = fmt.Fprint(w, "<html>hello")
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
}
