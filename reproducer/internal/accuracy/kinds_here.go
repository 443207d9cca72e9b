package accuracy

import (
	"net/netip"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// hereKinds: nothing leaves this host.
func hereKinds() []Kind {
	return []Kind{
		{Name: "local-blackhole", play: func(s *scene) error {
			return playHere(s, "a route of the host becomes a blackhole", flow.NoRoute, func(server *cluster.Pod) error {
				return s.c.Blackhole(s.a, netip.PrefixFrom(server.Addr, server.Addr.BitLen()))
			})
		}},
		{Name: "local-filter", play: func(s *scene) error {
			return playHere(s, "a filter of the host drops what is sent", flow.LocalFilter, func(server *cluster.Pod) error {
				return s.c.DropSent(s.a.Machine, server.Addr)
			})
		}},
	}
}

// playHere lets programs of the node's own network talk to a pod.
func playHere(s *scene, what string, cause flow.Cause, fault func(*cluster.Pod) error) error {
	server, err := hostCrowd(s)
	s.at(0, what, func() error {
		return s.perhapsBetween(func() error {
			at := time.Now()
			if err := fault(server); err != nil {
				return err
			}
			return s.truth(at, flow.LocalDrop, cause)
		})
	})
	return err
}

// hostCrowd starts a server and clients in the node's own network.
func hostCrowd(s *scene) (*cluster.Pod, error) {
	server, err := s.server(calm)
	if err != nil {
		return nil, err
	}
	spec := cluster.PodSpec{Node: s.a.Name, Workload: s.act.Name + "-client", HostNetwork: true}
	return server, s.crowdIn(spec, server, server.Address())
}
