package kube_test

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

func testdata(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func ips(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestDecode(t *testing.T) {
	created := time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)
	want := cluster.Objects{
		HasServices: true, HasSlices: true, HasPods: true, HasNodes: true,
		Services: []cluster.Service{
			{
				Namespace: "default", Name: "server", ClusterIPs: ips("10.96.0.10", "fd00:96::10"), ExternalIPs: ips("203.0.113.7"),
				LoadBalancerIPs: ips("203.0.113.8"), Ports: []uint16{8000}, NodePorts: []uint16{30800},
			},
			{Namespace: "default", Name: "headless", Ports: []uint16{8000}},
			{Namespace: "default", Name: "outside"},
		},
		Slices: []cluster.Slice{
			{
				Namespace: "default", Name: "server-abcde", Service: "server", Ports: []uint16{8000},
				Endpoints: []cluster.Endpoint{
					{
						Addr: netip.MustParseAddr("192.168.136.2"), Node: "node-b", Pod: "server-6d4cf56db6-x2x8q",
						PodUID: "9f3b8a52-0c1e-4b2e-8f0a-1d2c3b4a5968", Ready: true,
					},
					{Addr: netip.MustParseAddr("192.168.136.3"), Terminating: true},
					{Addr: netip.MustParseAddr("192.168.136.4"), Ready: true},
				},
			},
			{Namespace: "default", Name: "names", AnyPort: true},
		},
		Pods: []cluster.Pod{
			{
				Namespace: "default", Name: "server-6d4cf56db6-x2x8q", UID: "9f3b8a52-0c1e-4b2e-8f0a-1d2c3b4a5968", Node: "node-b",
				IPs: ips("192.168.136.2", "fd00::2"), Terminating: true, Workload: "server", WorkloadKind: "Deployment", CreatedAt: created,
				Containers: []cluster.Container{{ID: "deadbeef", Name: "proxy"}, {ID: "c0ffee", Name: "echo"}},
			},
			{
				Namespace: "default", Name: "backup-28000-abcde", UID: "9f3b8a52-0c1e-4b2e-8f0a-1d2c3b4a5969", Node: "node-b",
				IPs: ips("172.18.0.3"), HostNetwork: true, Finished: true, Workload: "backup-28000", WorkloadKind: "Job", CreatedAt: created,
			},
		},
		Nodes: []cluster.Node{{Name: "node-b", Addrs: ips("172.18.0.3", "fd00:18::3"), State: cluster.NodeUnreachable}},
	}
	asYAML := testdata(t)
	asJSON, err := yaml.YAMLToJSON(asYAML)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"YAML": asYAML, "JSON": asJSON} {
		got, err := kube.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// TestDecodeOfHalfAFile cuts the file after each line: what ends too early
// must never pass for a cluster with fewer pods.
func TestDecodeOfHalfAFile(t *testing.T) {
	lines := strings.SplitAfter(string(testdata(t)), "\n")
	for i := range lines {
		half := strings.Join(lines[:i], "")
		complete := strings.Contains(half, "\nkind: List\n")
		if _, err := kube.Decode([]byte(half)); (err == nil) != complete {
			t.Errorf("after %d lines: %v", i, err)
		}
	}
}

func TestDecodeSpeaksOf(t *testing.T) {
	const node = `{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}}`
	tests := map[string]struct{ services, pods, nodes bool }{
		``:   {},
		node: {services: true, nodes: true},
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}`:       {services: true, pods: true},
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`: {},
	}
	for items, want := range tests {
		got, err := kube.Decode([]byte(`{"apiVersion":"v1","kind":"List","items":[` + items + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got.HasServices != want.services || got.HasSlices != want.services || got.HasPods != want.pods || got.HasNodes != want.nodes {
			t.Errorf("%s: %+v", items, got)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	list := func(items string) string { return `{"apiVersion":"v1","kind":"List","items":[` + items + `]}` }
	tests := map[string]struct {
		data   string
		noList bool
	}{
		"empty":        {"", true},
		"half of JSON": {list("")[:20], false},
		"a pod":        {`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}`, true},
		"no YAML":      {"a: [", false},
		"bad item":     {list(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"hostNetwork":"yes"}}`), false},
		"nameless":     {list(`{"apiVersion":"v1","kind":"Pod"}`), false},
		"no object":    {list(`1`), false},
		"null item":    {list(`null`), false},
	}
	for name, tt := range tests {
		_, err := kube.Decode([]byte(tt.data))
		if err == nil || errors.Is(err, kube.ErrNoList) != tt.noList {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(testdata(f))
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"status":{"podIP":"::ffff:1.2.3.4"}}]}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"ports":[{"port":70000}]}}]}`))
	f.Add([]byte("kind: List\napiVersion: v1\nitems: null\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		objs, err := kube.Decode(data)
		if err != nil {
			return
		}
		var addrs []netip.Addr
		for _, p := range objs.Pods {
			addrs = append(addrs, p.IPs...)
		}
		for _, sl := range objs.Slices {
			for _, e := range sl.Endpoints {
				addrs = append(addrs, e.Addr)
			}
		}
		for _, a := range addrs {
			if !a.IsValid() || a.Is4In6() {
				t.Errorf("address %s", a)
			}
		}
		// A state takes in whatever was read, and drops it.
		s := cluster.New(cluster.Options{})
		s.SetHealth(true, "fuzz", time.Unix(0, 0))
		s.Replace(objs, time.Unix(1, 0))
		s.Replace(objs, time.Unix(2, 0))
		s.Replace(cluster.Objects{HasServices: true, HasSlices: true, HasPods: true, HasNodes: true, Pods: []cluster.Pod{{Name: "x"}}}, time.Unix(3, 0))
		for _, a := range addrs {
			s.Backend(netip.AddrPortFrom(a, 1), time.Unix(4, 0))
		}
	})
}
