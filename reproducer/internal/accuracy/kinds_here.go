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
		{Name: "queue-holds", play: func(s *scene) error {
			return playOwnSide(s, "a shaper holds what the clients send", flow.LocalDrop, flow.LocalQueue, s.c.HoldSent)
		}},
		{Name: "queue-drops", play: func(s *scene) error {
			return playOwnSide(s, "a queue drops what the clients send", flow.LocalDrop, flow.LocalQueue, s.c.QueueNothing)
		}},
		{Name: "link-down", play: func(s *scene) error {
			return playOwnSide(s, "the clients' interface goes down", flow.LocalDrop, flow.LinkDown, s.c.TakeDown)
		}},
		{Name: "policy-route", play: func(s *scene) error {
			return playOwnSide(s, "a routing policy refuses what the clients send", flow.Retransmitting, flow.NoRoute, func(p *cluster.Pod) error {
				return s.c.RefuseSource(s.a, p.Addr)
			})
		}},
		// With IPv6, the kernel goes on sending from an address that is gone.
		{Name: "address-lost", Family: cluster.IPv4, play: playAddressLost},
		{Name: "syn-filtered", Most: 12, Risky: true, play: func(s *scene) error {
			return playConnecting(s, "a filter drops the SYNs of the clients", flow.Connecting, flow.LocalFilter, s.c.DropConnects)
		}},
	}
}

// toClients does something to the pod of each crowd.
func toClients(s *scene, do func(*cluster.Pod) error) error {
	for _, p := range s.clients() {
		if err := do(p.pod); err != nil {
			return err
		}
	}
	return nil
}

// playOwnSide: something on the pods' own node, or in them, lets nothing through.
func playOwnSide(s *scene, what string, symptom flow.Symptom, cause flow.Cause, fault func(*cluster.Pod) error) error {
	_, _, err := s.behind(calm, nil)
	s.at(0, what, func() error {
		return s.perhapsBetween(func() error {
			at := time.Now()
			if err := toClients(s, fault); err != nil {
				return err
			}
			return s.truth(at, symptom, cause)
		})
	})
	return err
}

// playAddressLost: programs of the node's own network connect from a second address, and it
// goes.
func playAddressLost(s *scene) error {
	server, err := s.server(calm)
	if err != nil {
		return err
	}
	s.act.Clients = 1
	from := s.c.Spare(s.act.Number)
	spec := cluster.PodSpec{Node: s.a.Name, Workload: s.act.Name + "-client", HostNetwork: true, Addr: from}
	s.at(0, "the address that the clients connect from goes", func() error {
		return s.perhapsBetween(func() error {
			at := time.Now()
			if err := s.c.LoseAddress(s.a, from); err != nil {
				return err
			}
			return s.truth(at, flow.LocalDrop, flow.AddressLost)
		})
	})
	return s.crowdIn(spec, server, server.Address())
}

// playConnecting: connections end well, and the next ones are not made, or not whole.
func playConnecting(s *scene, what string, symptom flow.Symptom, cause flow.Cause, fault func(*cluster.Pod) error) error {
	svc, err := s.service()
	if err != nil {
		return err
	}
	obedient := cluster.PodSpec{Node: calm, Args: []string{"server"}}
	server, err := s.serverPod(obedient)
	if err != nil {
		return err
	}
	s.at(0, what+", and the server is replaced", func() error {
		if _, err := s.serverPod(obedient); err != nil {
			return err
		}
		return s.between(func() error {
			if err := s.onlyLater(Verdict{Since: time.Now(), Symptom: symptom, Cause: cause}); err != nil {
				return err
			}
			if err := toClients(s, fault); err != nil {
				return err
			}
			_, err := s.c.GracefulDelete(s.ctx, server, 10*time.Second)
			return err
		})
	})
	return s.crowd(server, svc.Address(), "--reconnect", "--interval", "1s")
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
