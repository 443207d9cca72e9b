package evidence

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestWhose has a socket with the address of web-1.
func TestWhose(t *testing.T) {
	process := flow.Process{PID: 4711, Started: time.Hour}
	web := Owned{flow.Local{Namespace: "shop", Pod: "web-1", PodUID: "uid-web", Workload: "web", WorkloadKind: "Deployment", Container: "nginx"}, "uid-web", ""}
	unproven := web
	unproven.Container, unproven.ProvenUID = "", ""
	of := func(o Owned, p flow.Process, comm string) Owned {
		o.PID, o.Started, o.Comm = p.PID, p.Started, comm
		return o
	}
	exited := func(o Owned) Owned {
		o = of(o, process, "nginx")
		o.Exited = true
		return o
	}
	for name, c := range map[string]struct {
		netns   uint32
		foreign bool
		hidden  bool // /proc does not show its process
		process flow.Process
		living  map[flow.Process]flow.Owner
		places  map[uint32]string
		before  Owned
		want    Owned
	}{
		"its process says so": {
			netns: 7, process: process, living: map[flow.Process]flow.Owner{process: {PodUID: "uid-web", Container: "c1"}}, want: of(web, process, "nginx"),
		},
		"its process is gone": {netns: 7, process: process, want: exited(unproven)},
		"its number is another's": {
			netns: 7, process: process, living: map[flow.Process]flow.Owner{{PID: 4711, Started: time.Minute}: {PodUID: "uid-other"}}, want: exited(unproven),
		},
		"its namespace says so, its process has gone": {
			netns: 7, process: process, places: map[uint32]string{7: "uid-web"}, want: exited(Owned{unproven.Local, "uid-web", ""}),
		},
		"the address is another pod's": {
			netns: 8, process: process, living: map[flow.Process]flow.Owner{process: {PodUID: "uid-other"}},
			want: of(Owned{flow.Local{Namespace: "evil", Pod: "other-1", PodUID: "uid-other"}, "uid-other", ""}, process, "nginx"),
		},
		"the address is a pod's that lives elsewhere": {netns: 8, places: map[uint32]string{7: "uid-web"}},
		"the address is none of its namespace":        {netns: 8, foreign: true},
		"the host has it":                             {netns: hostNetNS},
		"a reading that shows no process": {
			netns: 7, living: map[flow.Process]flow.Owner{process: {PodUID: "uid-web", Container: "c1"}}, before: of(Owned{}, process, "nginx"), want: of(web, process, "nginx"),
		},
		"proven before, and its record is gone": {
			netns: 9, before: Owned{flow.Local{Namespace: "shop", Pod: "old-1", PodUID: "uid-old", Workload: "old", Container: "main"}, "uid-old", ""},
			want: Owned{flow.Local{Namespace: "shop", Pod: "old-1", PodUID: "uid-old", Workload: "old", Container: "main"}, "uid-old", ""},
		},
		"proven before, its record is gone and another has the address": {
			netns: 7, before: Owned{flow.Local{Namespace: "shop", Pod: "old-1", PodUID: "uid-old", Workload: "old"}, "uid-old", ""},
			want: Owned{flow.Local{Namespace: "shop", Pod: "old-1", PodUID: "uid-old", Workload: "old"}, "uid-old", ""},
		},
		"its user is shown": {
			netns: hostNetNS, process: process, living: map[flow.Process]flow.Owner{process: {User: "1000"}}, before: Owned{User: "0"},
			want: of(Owned{User: "1000"}, process, "nginx"),
		},
		"its user was shown, and it has gone": {netns: hostNetNS, process: process, before: Owned{User: "1000"}, want: exited(Owned{User: "1000"})},
		"its user was never shown":            {netns: hostNetNS, process: process, hidden: true, want: of(Owned{}, process, "nginx")},
		"its user was shown, and a process has it now that is not": {
			netns: hostNetNS, process: process, hidden: true, before: Owned{User: "1000"}, want: of(Owned{User: "1000"}, process, "nginx"),
		},
		"a proof corrects what the address said": {
			netns: 7, process: process, living: map[flow.Process]flow.Owner{process: {PodUID: "uid-other"}}, before: unproven,
			want: of(Owned{flow.Local{Namespace: "evil", Pod: "other-1", PodUID: "uid-other"}, "uid-other", ""}, process, "nginx"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := Names{Cluster: records(), Owners: &processesOf{living: c.living, hidden: c.hidden}, Places: pods{of: c.places}, HostNetNS: hostNetNS}
			s := flow.Socket{NetNS: c.netns, Local: client, Foreign: c.foreign, PID: c.process.PID, Started: c.process.Started}
			if s.PID != 0 {
				s.Comm = "nginx"
			}
			c.want.Addr = client
			if diff := cmp.Diff(c.want, n.Whose(s, c.before), sameAddrs()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestPeer(t *testing.T) {
	node := netip.MustParseAddrPort("192.168.75.1:40000")
	for name, c := range map[string]struct {
		local, remote, client netip.AddrPort
		role                  flow.Role
		want                  flow.Peer
		service               bool
	}{
		"a Service":                     {client, service, service, flow.Client, flow.Peer{Class: flow.PeerService, Namespace: "shop", Service: "cart"}, true},
		"a pod":                         {client, server, server, flow.Client, flow.Peer{Class: flow.PeerPod}, false},
		"outside, with a label":         {client, outside, outside, flow.Client, flow.Peer{Class: flow.PeerExternal, Name: "database"}, false},
		"outside, without":              {client, netip.MustParseAddrPort("198.51.100.7:443"), netip.AddrPort{}, flow.Client, flow.Peer{Class: flow.PeerExternal}, false},
		"itself":                        {client, netip.AddrPortFrom(client.Addr(), 80), netip.AddrPort{}, flow.Client, flow.Peer{Class: flow.PeerSelf}, false},
		"loopback":                      {netip.MustParseAddrPort("127.0.0.1:5000"), netip.MustParseAddrPort("127.0.0.2:80"), netip.AddrPort{}, flow.Client, flow.Peer{Class: flow.PeerSelf}, false},
		"a client behind masquerade":    {client, node, outside, flow.Server, flow.Peer{Class: flow.PeerExternal, Name: "database"}, false},
		"a client that is a pod":        {client, server, server, flow.Server, flow.Peer{Class: flow.PeerPod}, false},
		"a client by a Service address": {client, service, service, flow.Server, flow.Peer{Class: flow.PeerService}, false},
		"a pod behind masquerade":       {client, node, server, flow.Server, flow.Peer{Class: flow.PeerPod}, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := Names{Cluster: records(), Places: Nowhere{}, HostNetNS: hostNetNS}
			got, of := n.Peer(flow.Socket{Local: c.local, Remote: c.remote}, c.role, c.client)
			c.want.Addr = c.remote
			if diff := cmp.Diff(c.want, got, sameAddrs()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if (of != nil) != c.service || of != nil && of.Name != "cart" {
				t.Errorf("service %+v", of)
			}
		})
	}
}
