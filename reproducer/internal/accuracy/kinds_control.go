package accuracy

import (
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// controlKinds look like trouble and are none: the agent may report nothing.
func controlKinds() []Kind {
	return []Kind{
		{Name: "healthy", play: func(s *scene) error { _, _, err := s.behind(calm, nil); return err }},
		{Name: "healthy-idle", play: func(s *scene) error { _, _, err := s.behind(calm, nil, "--idle"); return err }},
		{Name: "sigterm-handled", play: playSigterm},
		{Name: "fin-through", Risky: true, play: playFinThrough},
		{Name: "same-node", Risky: true, play: playSameNode},
		{Name: "rolling-update", play: playRollingUpdate},
		{Name: "graceful-late-close", play: playLateClose},
		{Name: "forced-terminating", Risky: true, play: playForcedTerminating},
		{Name: "mptcp", Most: 6, play: playMPTCP},
		{Name: "lossy", play: playLossy},
		{Name: "slow", Most: 8, play: playSlow},
		{Name: "shaped", Most: 5, play: playShaped},
		{Name: "service-deleted", play: playServiceDeleted},
		{Name: "relabelled", play: playRelabelled},
		{Name: "slice-move", play: playSliceMove},
		{Name: "no-target-ref", play: playNoTargetRef},
		{Name: "hostnetwork-restart", Alone: true, play: playHostNetwork},
		{Name: "vanished-clients", Alone: true, play: playVanished},
	}
}

func playSigterm(s *scene) error {
	svc, err := s.service()
	if err != nil {
		return err
	}
	obedient := cluster.PodSpec{Node: calm, Args: []string{"server"}}
	server, err := s.serverPod(obedient)
	if err != nil {
		return err
	}
	s.at(0, "the server is deleted, and exits on SIGTERM", func() error {
		return s.between(func() error {
			if _, err := s.serverPod(obedient); err != nil {
				return err
			}
			_, err := s.c.GracefulDelete(s.ctx, server, 10*time.Second)
			return err
		})
	})
	return s.crowd(server, svc.Address(), "--reconnect")
}

func playFinThrough(s *scene) error {
	server, _, err := s.behind(calm, nil, "--reconnect")
	s.at(0, "the server is force-deleted, its network goes last", func() error {
		if _, err := s.server(calm); err != nil {
			return err
		}
		return s.between(func() error {
			_, err := s.c.ForceDeleteLate(s.ctx, server)
			return err
		})
	})
	return err
}

func playSameNode(s *scene) error {
	server, _, err := s.behind(s.a.Name, nil, "--reconnect")
	s.at(0, "the server beside its clients is force-deleted; there is another", func() error {
		if _, err := s.server(calm); err != nil {
			return err
		}
		return s.between(func() error {
			_, err := s.remove(server)
			return err
		})
	})
	return err
}

// playRollingUpdate replaces three servers, one after the other.
func playRollingUpdate(s *scene) error {
	svc, err := s.service()
	if err != nil {
		return err
	}
	draining := cluster.PodSpec{Node: calm, Args: []string{"server", "--drain", "800ms"}}
	var old []*cluster.Pod
	for range 3 {
		p, err := s.serverPod(draining)
		if err != nil {
			return err
		}
		old = append(old, p)
	}
	for i, p := range old {
		s.at(time.Duration(i)*3*time.Second, "a server is replaced", func() error {
			if _, err := s.serverPod(draining); err != nil {
				return err
			}
			_, err := s.c.GracefulDelete(s.ctx, p, 10*time.Second)
			return err
		})
	}
	return s.crowd(nil, svc.Address(), "--reconnect")
}

// playLateClose: a pool closes its connections 5 s after the pod is gone.
func playLateClose(s *scene) error {
	svc, err := s.service()
	if err != nil {
		return err
	}
	server, err := s.serverPod(cluster.PodSpec{Node: calm, Args: []string{"server", "--drain", "100ms"}})
	if err != nil {
		return err
	}
	client, err := s.c.StartPod(s.ctx, cluster.PodSpec{
		Workload: s.act.Name + "-client", Node: s.a.Name,
		Args: []string{"client", "--interval", "300ms", "--requests", "1", "--connections", strconv.Itoa(s.act.Flows), "--server", svc.Address()},
	})
	if err != nil {
		return err
	}
	s.watch(&party{pod: client, addr: client.Addr, echo: client.Echo, role: "client", family: s.lab.family})
	if _, err := client.Echo.AwaitKind(s.ctx, s.act.Flows, record.Read); err != nil {
		return err
	}
	s.at(0, "the server terminates gracefully", func() error {
		_, err := s.c.GracefulDelete(s.ctx, server, 10*time.Second)
		return err
	})
	s.at(6*time.Second, "the pool closes", func() error { return client.Echo.Signal(syscall.SIGTERM) })
	return nil
}

func playForcedTerminating(s *scene) error {
	svc, err := s.service()
	if err != nil {
		return err
	}
	draining := cluster.PodSpec{Node: calm, Args: []string{"server", "--drain", "3s"}}
	server, err := s.serverPod(draining)
	if err != nil {
		return err
	}
	s.at(0, "the server drains", func() error {
		if _, err := s.serverPod(draining); err != nil {
			return err
		}
		return s.c.Terminate(server)
	})
	s.at(time.Second, "it is force-deleted meanwhile", func() error { return s.c.DeleteObject(server) })
	return s.crowd(server, svc.Address(), "--reconnect")
}

func playMPTCP(s *scene) error {
	s.act.Clients = 1
	server, _, err := s.behind(calm, []string{"--discard"}, "--multipath", "--interval", "100ms", "--stream", "16000")
	if err != nil {
		return err
	}
	second, err := s.c.AddPath(s.clients()[0].pod)
	if err != nil {
		return err
	}
	s.at(0, "one of two paths dies", func() error { return s.c.DropFrom(server.Node.Machine, second) })
	return nil
}

func playLossy(s *scene) error {
	server, _, err := s.behind(calm, nil)
	s.at(0, "one packet in twenty is lost", func() error { return s.c.LoseTo(server.Node.Machine, server.Addr, 5) })
	return err
}

func playSlow(s *scene) error {
	_, _, err := s.behind(calm, []string{"--discard", "--sip", "200ms"}, "--interval", "20ms", "--stream", "16000")
	return err
}

// playShaped: segments wait in a queue of their own host for longer than a retransmission
// timeout, and all of them leave.
func playShaped(s *scene) error {
	s.act.Clients = 1
	_, _, err := s.behind(calm, nil)
	s.at(0, "a shaper slows down what the clients send", func() error { return toClients(s, s.c.SlowSent) })
	return err
}

func playServiceDeleted(s *scene) error {
	_, svc, err := s.behind(calm, nil, quietly(s)...)
	s.at(0, "the Service is deleted", func() error { return s.c.RemoveService(svc) })
	s.at(time.Second, "the Service is created again", func() error { return s.c.ReturnService(svc) })
	return err
}

func playRelabelled(s *scene) error {
	server, _, err := s.behind(calm, nil, quietly(s)...)
	s.at(0, "the server loses its label", func() error { return s.c.Relabel(server, "quarantine") })
	return err
}

func playSliceMove(s *scene) error {
	server, svc, err := s.behind(calm, nil, quietly(s)...)
	s.at(0, "the endpoint leaves its slice", func() error { return s.c.Relabel(server, "nothing") })
	s.at(time.Second, "the endpoint is in another slice", func() error {
		if err := s.c.Relabel(server, s.act.Name); err != nil {
			return err
		}
		return s.c.RenewSlice(svc)
	})
	return err
}

func playNoTargetRef(s *scene) error {
	server, svc, err := s.behind(calm, nil, quietly(s)...)
	s.at(0, "the endpoints name no pods", func() error { return s.c.NameNoPods(svc) })
	s.at(time.Second, "one leaves its slice", func() error { return s.c.Relabel(server, "nothing") })
	return err
}

func playHostNetwork(s *scene) error {
	svc, err := s.service()
	if err != nil {
		return err
	}
	server, err := s.serverPod(cluster.PodSpec{Node: calm, HostNetwork: true, Args: []string{"server", "--catch-sigterm"}})
	if err != nil {
		return err
	}
	s.at(0, "the server's object is deleted, its process is not", func() error { return s.c.DeleteObject(server) })
	return s.crowd(server, svc.Address(), quietly(s)...)
}

// quietly makes half of the crowds only listen.
func quietly(s *scene) []string {
	if s.rng.IntN(2) == 0 {
		return []string{"--idle"}
	}
	return nil
}

// playVanished: clients on the internet vanish, as they do every day.
func playVanished(s *scene) error {
	ingress, err := s.serverPod(cluster.PodSpec{Node: s.a.Name, HostNetwork: true, Args: []string{"server", "--push", "500ms"}})
	if err != nil {
		return err
	}
	internet, err := s.c.StartHost(s.ctx, s.act.Name+"-clients", []string{"crowd", "--idle", "--connections", strconv.Itoa(s.act.Flows), "--server", netip.AddrPortFrom(ingress.Addr, cluster.Port).String()})
	if err != nil {
		return err
	}
	if _, err := ingress.Echo.AwaitKind(s.ctx, s.act.Flows, record.Accepted); err != nil {
		return err
	}
	s.at(0, "the clients vanish", func() error { return s.c.Silence(s.c.Internet, internet.Addr) })
	return nil
}
