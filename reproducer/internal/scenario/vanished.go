package scenario

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// vanishedClients is the everyday life of a node that serves the internet.
func vanishedClients() Scenario {
	const clients = 100
	var internet *cluster.Host
	return Scenario{
		Name: "vanished-clients",
		Story: "A hundred clients on the internet hold connections to an ingress on the node; all of them vanish.\n" +
			"The ingress keeps sending, into nothing.\n" +
			"That is everyday life: counted, not reported, and no label may hold a client's port.",
		stuckAfter: 3 * time.Second,
		prepare: func(ctx context.Context, l *Lab) (err error) {
			ingress := cluster.PodSpec{Workload: "ingress", Node: "node-a", HostNetwork: true, Args: []string{"server", "--push", "500ms"}}
			if l.Server, err = l.Cluster.StartPod(ctx, ingress); err != nil {
				return err
			}
			internet, err = l.Cluster.StartHost(ctx, "clients", []string{
				"crowd", "--idle", "--connections", strconv.Itoa(clients), "--server", netip.AddrPortFrom(l.Server.Addr, cluster.Port).String(),
			})
			if err != nil {
				return err
			}
			_, err = l.Server.Echo.AwaitKind(ctx, clients, record.Accepted)
			return err
		},
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			begin := time.Now()
			if err := l.Cluster.Cut(l.Cluster.Internet); err != nil {
				return begin, err
			}
			if err := l.AwaitMetric(ctx, "tcpstuck_external_server_flows", 10*time.Second, func(v float64) bool { return v == clients }); err != nil {
				return begin, err
			}
			if err := l.Watch(ctx, 4*time.Second); err != nil {
				return begin, err
			}
			return begin, noPortInLabels(l, internet)
		},
	}
}

// noPortInLabels demands that no label holds the local port of one of the
// host's connections.
func noPortInLabels(l *Lab, h *cluster.Host) error {
	var ports []uint16
	for _, r := range h.Echo.Records() {
		if r.Kind == record.Connected {
			ports = append(ports, r.Local.Port())
		}
	}
	metrics, err := l.Agent.Scrape()
	if err != nil {
		return err
	}
	if s, found := metrics.findLabel(ports); found {
		return brokenClaim(fmt.Sprintf("a client's port is in a label: %s%v", s.Name, s.Labels))
	}
	l.Timeline.Add("none of the clients' %d ports is in a label", len(ports))
	return nil
}
