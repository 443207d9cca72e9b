package accuracy

import (
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// unreachableKinds: the peer lives, as far as the records say, and does not
// answer, or not everything gets through.
func unreachableKinds() []Kind {
	return []Kind{
		{Name: "node-down", play: playNodeDown},
		{Name: "node-down-evicted", play: playNodeDownEvicted},
		{Name: "node-back", play: playNodeBack},
		{Name: "reject", play: playReject},
		{Name: "dead-neighbour", play: playDeadNeighbour},
		{Name: "silent-sender-l2", play: playSilentSenderL2},
		{Name: "vip-failover", Most: 12, Alone: true, play: playVIPFailover},
		{Name: "terminating", play: playTerminating},
		{Name: "path-mtu", play: playPathMTU},
		{Name: "egress", play: playEgress},
		{Name: "zero-window", Most: 14, play: playZeroWindow},
		{Name: "zero-window-dead", Most: 14, play: playZeroWindowDead},
	}
}

func playNodeDown(s *scene) error {
	server, _, err := s.behind(s.node(), nil)
	if err != nil {
		return err
	}
	more, err := s.mayHasten()
	s.at(0, "the server's node is cut off", func() error {
		return s.perhapsBetween(func() error {
			at := time.Now()
			if err := s.c.Cut(server.Node.Machine); err != nil {
				return err
			}
			return s.truth(at, flow.Retransmitting, flow.PeerUnreachable, more...)
		})
	})
	return err
}

func playNodeDownEvicted(s *scene) error {
	server, _, err := s.behind(s.node(), nil)
	s.at(0, "the server's node is cut off, and its pods are evicted", func() error {
		return s.perhapsBetween(func() error {
			at := time.Now()
			if err := s.c.Cut(server.Node.Machine); err != nil {
				return err
			}
			if err := s.c.LoseNode(server.Node); err != nil {
				return err
			}
			return s.truth(at, flow.Retransmitting, flow.PeerUnreachable)
		})
	})
	return err
}

func playNodeBack(s *scene) error {
	server, _, err := s.behind(s.node(), nil)
	s.at(0, "the server's node is cut off", func() error {
		return s.perhapsBetween(func() error {
			at := time.Now()
			if err := s.c.Cut(server.Node.Machine); err != nil {
				return err
			}
			return s.truth(at, flow.Retransmitting, flow.PeerUnreachable, ends(flow.Recovered))
		})
	})
	s.at(8*time.Second, "the server's node is back", func() error {
		lifted := time.Now()
		if err := s.c.Restore(server.Node.Machine); err != nil {
			return err
		}
		return s.add(func(l *Label) { l.Lifted = lifted })
	})
	return err
}

func playReject(s *scene) error {
	server, _, err := s.behind(calm, nil)
	if err != nil {
		return err
	}
	s.at(0, "the path refuses the server's address", func() error {
		return s.perhapsBetween(func() error {
			at := time.Now()
			if err := s.c.Refuse(server.Node.Machine, server.Addr); err != nil {
				return err
			}
			return s.truth(at, flow.Retransmitting, flow.RouterRejects, ends(flow.TimedOut))
		})
	})
	return s.hasten(4)
}

func playDeadNeighbour(s *scene) error {
	server, _, err := s.behind(s.node(), nil)
	if err != nil {
		return err
	}
	s.at(0, "the server's node has left the switch", unplug(s, server))
	return s.hasten(4)
}

func playSilentSenderL2(s *scene) error {
	server, _, err := s.behind(s.node(), []string{"--discard"}, sender...)
	if err != nil {
		return err
	}
	s.at(0, "the server's node has left the switch", unplug(s, server))
	return s.hasten(4)
}

func unplug(s *scene, server *cluster.Pod) func() error {
	return func() error {
		at := time.Now()
		if err := s.c.Unplug(server.Node.Machine); err != nil {
			return err
		}
		return s.truth(at, flow.Retransmitting, flow.PeerUnreachable, ends(flow.TimedOut), s.shaken())
	}
}

// playVIPFailover: the client is lost, and the agent's node sees a node in its place.
func playVIPFailover(s *scene) error {
	svc, err := s.service()
	if err != nil {
		return err
	}
	gateway, err := s.server(s.a.Name, "--push", "400ms")
	if err != nil {
		return err
	}
	accepting := s.took[len(s.took)-1]
	vip, err := s.c.AddVIP(svc)
	if err != nil {
		return err
	}
	front, err := s.c.Node(s.node())
	if err != nil {
		return err
	}
	if err := s.c.MoveVIP(front); err != nil {
		return err
	}
	if _, err := s.c.StartHost(s.ctx, s.act.Name+"-browser", []string{"client", "--idle", "--connections", strconv.Itoa(s.act.Flows), "--server", vip}); err != nil {
		return err
	}
	if _, err := gateway.Echo.AwaitKind(s.ctx, s.act.Flows, record.Accepted); err != nil {
		return err
	}
	s.at(0, "the node that clients came by is lost, and the virtual IP moves", func() error {
		at := time.Now()
		if err := s.c.Cut(front.Machine); err != nil {
			return err
		}
		if err := s.c.LoseNode(front); err != nil {
			return err
		}
		if err := s.c.MoveVIP(s.a); err != nil {
			return err
		}
		return s.truthOf([]*party{accepting}, Verdict{Since: at, Symptom: flow.Retransmitting, Cause: flow.PeerUnreachable})
	})
	return nil
}

// playTerminating: the server drains, and its network breaks meanwhile.
func playTerminating(s *scene) error {
	server, _, err := s.behind(calm, nil)
	s.at(0, "the server is terminating, and what it sends vanishes", func() error {
		return s.perhapsBetween(func() error {
			if err := s.c.Terminate(server); err != nil {
				return err
			}
			at := time.Now()
			if err := s.c.DropFrom(server.Node.Machine, server.Addr); err != nil {
				return err
			}
			return s.truth(at, flow.Retransmitting, flow.PeerTerminating)
		})
	})
	return err
}

func playPathMTU(s *scene) error {
	// Two full segments and a short one, in either family.
	server, _, err := s.behind(calm, []string{"--discard", "--push", "300ms"}, "--stream", "3400")
	s.at(0, "large packets to the server vanish", func() error {
		at := time.Now()
		if err := s.c.DropLarge(server.Node.Machine, server.Addr, 1000); err != nil {
			return err
		}
		return s.truth(at, flow.Retransmitting, flow.PathDrop)
	})
	return err
}

func playEgress(s *scene) error {
	host, err := s.c.StartHost(s.ctx, s.act.Name+"-db", []string{"server"})
	if err != nil {
		return err
	}
	if err := s.crowd(nil, netip.AddrPortFrom(host.Addr, cluster.Port).String()); err != nil {
		return err
	}
	more, err := s.mayHasten()
	s.at(0, "the host outside goes silent", func() error {
		return s.perhapsBetween(func() error {
			at := time.Now()
			if err := s.c.Silence(s.c.Internet, host.Addr); err != nil {
				return err
			}
			return s.truth(at, flow.Retransmitting, flow.PeerSilent, more...)
		})
	})
	return err
}

// reader starts a server with small buffers and clients that stream to it.
func reader(s *scene, node string) (*cluster.Pod, error) {
	svc, err := s.service()
	if err != nil {
		return nil, err
	}
	server, err := s.server(node, "--discard")
	if err != nil {
		return nil, err
	}
	if err := server.SmallBuffers(); err != nil {
		return nil, err
	}
	// No books count what it reads: its kernel has taken more than it did.
	// Probes come every second at least.
	spec := cluster.PodSpec{Node: s.a.Name, Workload: s.act.Name + "-client", RTOMax: "1000"}
	return server, s.crowdIn(spec, nil, svc.Address(), "--interval", "100ms", "--stream", "8000", "--send-buffer", "30000")
}

func playZeroWindow(s *scene) error {
	server, err := reader(s, calm)
	s.at(0, "the server stops reading", func() error {
		if err := server.Echo.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		return s.truth(time.Now(), flow.ZeroWindow, flow.SlowReader, never)
	})
	return err
}

// playZeroWindowDead: a window is closed and will never open.
func playZeroWindowDead(s *scene) error {
	server, err := reader(s, s.node())
	if err != nil {
		return err
	}
	s.at(0, "the server stops reading", func() error {
		if err := server.Echo.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		return s.truth(time.Now(), flow.ZeroWindow, flow.SlowReader)
	})
	s.at(2*time.Second, "the server's node is cut off", func() error {
		if err := s.awaitClosed(); err != nil {
			return err
		}
		at := time.Now()
		if err := s.c.Cut(server.Node.Machine); err != nil {
			return err
		}
		// Only probes without an answer show it, and the time between two of
		// them grows.
		return s.truthOf(s.clients(), Verdict{Since: at, Symptom: flow.ZeroWindow, Cause: flow.PeerUnreachable, Slack: 8 * time.Second}, ends(flow.TimedOut))
	})
	return s.hasten(6)
}
