package main

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

func TestDefaultsAreTheContracts(t *testing.T) {
	c, err := parse(nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.metricsAddresses; len(got) != 1 || got[0] != ":9797" {
		t.Errorf("--web.listen-address %v", got)
	}
	if c.socket != "/run/tcpstuck/agent.sock" || c.pageAddress != "127.0.0.1:9798" || c.stuckAfter != 10*time.Second ||
		c.maxStaleness != 30*time.Second || c.maxSeries != 500 || c.maxFlows != 100_000 || c.scanCPU != 0.01 || c.clusterFile != "" || !c.kubernetesEvents {
		t.Errorf("defaults %+v", c)
	}
	if host, _ := os.Hostname(); c.nodeName != host {
		t.Errorf("node %q, want %q", c.nodeName, host)
	}
}

func TestFlagsAndEnvironment(t *testing.T) {
	t.Setenv("TCPSTUCK_STUCK_AFTER", "3s")
	t.Setenv("TCPSTUCK_SWEEP_CPU", "0.5")
	t.Setenv("TCPSTUCK_KUBERNETES_EVENTS", "false")
	t.Setenv("TCPSTUCK_WEB_LISTEN_ADDRESS", "127.0.0.1:1")
	c, err := parse([]string{
		"--sweep-cpu=0.2", "--name", "203.0.113.7=db", "--name=2001:db8::/32=v6",
		"--scope-netns", "/proc/self/ns/net", "--scope-netns=42", "--node-name=node-a",
	}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if c.kubernetesEvents || c.stuckAfter != 3*time.Second || c.scanCPU != 0.2 || c.metricsAddresses[0] != "127.0.0.1:1" {
		t.Errorf("stuck-after %v, sweep-cpu %v, listen %v", c.stuckAfter, c.scanCPU, c.metricsAddresses)
	}
	want := []cluster.Name{
		{Prefix: netip.MustParsePrefix("203.0.113.7/32"), Label: "db"}, {Prefix: netip.MustParsePrefix("2001:db8::/32"), Label: "v6"},
	}
	if diff := cmp.Diff(want, c.names, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("names: -want +got\n%s", diff)
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint32{uint32(st.Ino), 42}, c.scope); diff != "" {
		t.Errorf("scope: -want +got\n%s", diff)
	}
}

func TestAddressesWithoutAPortAreRefused(t *testing.T) {
	for address, says := range map[string]string{
		"":              "--web.listen-address=: want HOST:PORT",
		":":             "--web.listen-address=:: want HOST:PORT",
		"localhost":     "want HOST:PORT",
		"127.0.0.1:":    "want HOST:PORT",
		"vsock://:9797": "want HOST:PORT",
		":9797":         "",
		"[::1]:9797":    "",
	} {
		_, err := parse([]string{"--web.listen-address=:9797", "--web.listen-address=" + address}, "test")
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", address, err, says)
		}
	}
}

func TestBadInputIsOneClearLine(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"--no-such-flag", "no-such-flag' (see --help)"},
		{"--stuck-after=soon", "soon"},
		{"--stuck-after=10ms", "shortest is 1s"},
		{"--sweep-cpu=2", "share of a core"},
		{"--sweep-cpu=NaN", "share of a core"},
		{"--cluster-max-staleness=-5s", "above 0"},
		{"--web.systemd-socket", "unknown long flag"},
		{"--scope-netns=/etc/passwd", "no network namespace"},
		{"--max-flows=0", "at least 1"},
		{"--max-series=0", "at least 1"},
		{"--max-series=1.9", "--max-series=1.9: invalid syntax"},
		{"--max-series=1e3", "--max-series=1e3: invalid syntax"},
		{"--max-series=NaN", "--max-series=NaN: invalid syntax"},
		{"--ring-bytes=4096.5", "--ring-bytes=4096.5: invalid syntax"},
		{"--cluster=mesos", "mesos"},
		{"--cluster=file", "needs --cluster-state"},
		{"--cluster=none --cluster-state=x", "contradict"},
		{"--cluster=kubernetes --cluster-state=x", "contradict"},
		{"--name=10.0.0.0/8", "CIDR=LABEL"},
		{"--name=ten=x", "neither an address nor a prefix"},
		{"--clients=ten", "--clients=ten: \"ten\" is neither an address nor a prefix"},
		{"--scope-netns=/nowhere", "no such file"},
		{"--log-level=loud", "loud"},
	} {
		_, err := parse(strings.Fields(c.args), "test")
		if err == nil {
			t.Errorf("%s was taken", c.args)
			continue
		}
		if got := err.Error(); !strings.Contains(got, c.says) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q, want one line that says %q", c.args, got, c.says)
		}
	}
}
