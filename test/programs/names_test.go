package programs

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/internal/progtest"
)

// The addresses of three pods of the node: the two network namespaces of the
// test are those of the attacker and of the node.
const (
	attacker4, attacker6 = "10.78.1.10", "fd78::10"
	victim4, victim6     = "10.78.1.77", "fd78::77"
	outsider4, outsider6 = "198.51.100.20", "2001:db8::20"
	outside4, outside6   = outsider4 + ":443", "[" + outsider6 + "]:443"
)

// trick is what a process of no privileges does to be taken for another's.
type trick struct {
	Name   string // that it calls itself
	Bind   string // the address that it binds its socket to; empty: none
	To     string
	Listen bool // it listens first, and takes the listener for a connection
	Write  bool
}

// The other role of this binary: a process that plays a trick on command.
func init() {
	text := os.Getenv("TCPSTUCK_TEST_TRICK")
	if text == "" {
		return
	}
	var tr trick
	err := json.Unmarshal([]byte(text), &tr)
	if err == nil { // while it may: after a change of the user it may not write there
		err = os.WriteFile("/proc/self/comm", []byte(tr.Name), 0)
	}
	if err == nil {
		err = syscall.Setuid(nobody)
	}
	if err == nil {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		err = tr.play()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	time.Sleep(time.Hour)
}

func (tr trick) play() error {
	to := netip.MustParseAddrPort(tr.To)
	domain := unix.AF_INET
	if to.Addr().Is6() {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if tr.Bind != "" {
		free := [2]int{unix.SOL_IP, unix.IP_FREEBIND}
		if domain == unix.AF_INET6 {
			free = [2]int{unix.SOL_IPV6, unix.IPV6_FREEBIND}
		}
		if err := unix.SetsockoptInt(fd, free[0], free[1], 1); err != nil {
			return err
		}
		if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(netip.MustParseAddr(tr.Bind), 0))); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
	}
	if tr.Listen {
		if err := unix.Listen(fd, 5); err != nil {
			return err
		}
		var unspec [16]byte // AF_UNSPEC: no peer any more
		if _, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unspec)), 16); errno != 0 {
			return errno
		}
	}
	if !tr.Write {
		if err := unix.SetNonblock(fd, true); err != nil {
			return err
		}
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	if !tr.Write {
		return nil
	}
	_, _ = fmt.Fprintln(os.Stdout, "connected")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	_, err = unix.Write(fd, []byte("and nobody answers"))
	return err
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// prepare starts the process in the network namespace of the calling thread,
// connects it where it is to write, and returns what has it go on.
func (tr trick) prepare(t *testing.T) (proceed func(), pid int) {
	t.Helper()
	text, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TCPSTUCK_TEST_TRICK="+string(text))
	in, out := progtest.Talk(t, cmd)
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	proceed = func() { _, _ = fmt.Fprintln(in) }
	if tr.Write {
		wall := nettest.NewWall(t)
		proceed()
		if said, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(said, err)
		}
		wall.Drop(int(netip.MustParseAddrPort(tr.To).Port()))
	}
	return proceed, cmd.Process.Pid
}

// records are a file of the cluster's records with the two pods.
func records(t *testing.T) string {
	t.Helper()
	pod := func(name string, ips ...string) string {
		return fmt.Sprintf("- {apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: default, uid: uid-%s}, spec: {nodeName: node-a}, status: {phase: Running, podIP: %s, podIPs: [{ip: %s}, {ip: %q}]}}\n",
			name, name, ips[0], ips[0], ips[1])
	}
	path := filepath.Join(t.TempDir(), "state.yaml")
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the agent is another user
			t.Fatal(err)
		}
	}
	text := "apiVersion: v1\nkind: List\nitems:\n" + pod("attacker", attacker4, attacker6) + pod("victim", victim4, victim6)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNamesAreProven has processes without a privilege try to pass for others,
// or merely choose their own name.
func TestNamesAreProven(t *testing.T) {
	type want struct{ pod, comm, role string }
	for name, c := range map[string]struct {
		trick  trick
		onNode bool // in the node's network namespace
		want   want
	}{
		"a pod, from its own address":            {trick{Name: "app", To: outside6}, false, want{"attacker", "app", "client"}},
		"a pod, bound to its own address":        {trick{Name: "app", Bind: attacker6, To: outside6}, false, want{"attacker", "app", "client"}},
		"a name of control bytes":                {trick{Name: "bad\x01proc", To: outside4}, false, want{"attacker", "bad?proc", "client"}},
		"a name that turns the line around":      {trick{Name: "a\u202egnp.exe", To: outside4}, false, want{"attacker", "a?gnp.exe", "client"}},
		"another pod's address":                  {trick{Name: "bad\x01proc", Bind: victim6, To: outside6}, false, want{"", "bad?proc", "client"}},
		"another pod's address, from the node":   {trick{Name: "bad\x01proc", Bind: victim6, To: outside6}, true, want{"", "bad?proc", "client"}},
		"a listener that becomes a connection":   {trick{Name: "app", Bind: attacker4, To: outside4, Listen: true, Write: true}, false, want{"attacker", "app", "client"}},
		"a connection that never was a listener": {trick{Name: "app", Bind: attacker4, To: outside4, Write: true}, false, want{"attacker", "app", "client"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attackers := nettest.Loopback(t)
			nettest.Nowhere(t, "eth0", attacker4+"/24", attacker6+"/64")
			nettest.Swallow(t, "eth0", outsider4, outsider6)
			if c.trick.Write { // there is a peer at first
				nettest.Nowhere(t, "out", "198.51.100.20/24")
				listen(t, "tcp", outside4)
			}
			var proceed func()
			var pid int
			if !c.onNode {
				proceed, pid = c.trick.prepare(t)
			}
			state := records(t)
			nodes := nettest.Loopback(t)
			nettest.Nowhere(t, "eth0", "192.0.2.1/24", "fd79::1/64")
			nettest.Swallow(t, "eth0", outsider4, outsider6)
			if c.onNode {
				proceed, pid = c.trick.prepare(t)
			}
			a := startContained(t, pod(t), "=p", fmt.Sprint("--scope-netns=", attackers), fmt.Sprint("--scope-netns=", nodes),
				"--stuck-after=1s", "--node-name=node-a", "--cluster=file", "--cluster-state="+state)
			a.await(t, "the records are read", func() error {
				text, err := a.run("dump", "--all")
				if err == nil && !strings.Contains(text, "cluster (file") {
					err = errors.New(text)
				}
				return err
			})
			proceed()
			a.await(t, "the flow is found", func() error {
				var list struct {
					Flows []struct {
						Role       string
						Suppressed *string `json:"muted"`
						Local      struct {
							Pod  *string
							PID  int
							Comm string
						}
					}
				}
				if err := a.ask(&list, "dump", "-o", "json"); err != nil {
					return err
				}
				if len(list.Flows) != 1 {
					return fmt.Errorf("found %d", len(list.Flows))
				}
				f := list.Flows[0]
				got := want{"", f.Local.Comm, f.Role}
				if f.Local.Pod != nil {
					got.pod = *f.Local.Pod
				}
				if got != c.want || f.Local.PID != pid || f.Suppressed != nil {
					t.Fatalf("%+v of pod %q, want %+v of process %d", f, got.pod, c.want, pid)
				}
				return nil
			})
			if text, err := a.run("audit"); err != nil || strings.ContainsAny(text, "\x01\u202e") {
				t.Errorf("audit: %v\n%q", err, text)
			}
			a.stop(t)
		})
	}
}
