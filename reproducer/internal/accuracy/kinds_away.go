package accuracy

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// awayKinds: what the clients send, or the answers to it, is lost on the way, and there are traces
// of the peer.
func awayKinds() []Kind {
	return []Kind{
		{Name: "answers-dropped", play: playAnswersDropped},
		{Name: "syn-answers-dropped", Most: 12, Risky: true, play: func(s *scene) error {
			return playConnecting(s, "a filter drops the answers to the clients' SYNs", flow.Connecting, flow.AnswersDropped, s.c.DropAccepts)
		}},
		{Name: "handshake-lost", Most: 12, Risky: true, play: func(s *scene) error {
			return playConnecting(s, "a firewall passes on SYNs alone", flow.Retransmitting, flow.PathDrop, func(p *cluster.Pod) error {
				b, err := s.c.Node(calm)
				if err != nil {
					return err
				}
				return s.c.DropAfterSYN(b.Machine, p.Addr)
			})
		}},
		{Name: "one-flight", play: playOneFlight},
		{Name: "paws", play: playPAWS},
		{Name: "half-close", play: playHalfClose},
		{Name: "keepalive-silent", play: playKeepaliveSilent},
		{Name: "deaf-client", Most: 10, Alone: true, play: playDeafClient},
	}
}

// playAnswersDropped: a pod drops what its node has passed on to it. The peer sends
// acknowledgements alone: conntrack does not show those with data of their own.
func playAnswersDropped(s *scene) error {
	_, _, err := s.behind(calm, []string{"--discard"}, "--stream", "200")
	s.at(0, "a filter drops what the clients receive", func() error {
		at := time.Now()
		if err := toClients(s, s.c.DropReceived); err != nil {
			return err
		}
		return s.truth(at, flow.Retransmitting, flow.AnswersDropped)
	})
	return err
}

// playOneFlight: of a full segment and a small one, written at once, only the small one arrives.
func playOneFlight(s *scene) error {
	svc, err := s.service()
	if err != nil {
		return err
	}
	server, err := s.server(calm, "--discard")
	if err != nil {
		return err
	}
	s.at(0, "large packets to the server vanish", func() error {
		at := time.Now()
		if err := s.c.DropLarge(server.Node.Machine, server.Addr, 1000); err != nil {
			return err
		}
		return s.truth(at, flow.Retransmitting, flow.PathDrop)
	})
	spec := cluster.PodSpec{Node: s.a.Name, Workload: s.act.Name + "-client", Unmerged: true}
	return s.crowdIn(spec, server, svc.Address(), "--stream", "1700", "--interval", "2s")
}

// playPAWS: the server takes the clients' segments for old ones.
func playPAWS(s *scene) error {
	_, _, err := s.behind(calm, nil)
	s.at(0, "the clients' timestamps run backwards", func() error {
		return s.between(func() error {
			at := time.Now()
			for _, p := range s.clients() {
				if err := s.c.TurnBackClock(p.echo); err != nil {
					return err
				}
			}
			return s.truth(at, flow.Retransmitting, flow.PeerRefuses)
		})
	})
	return err
}

// outside starts a host outside the cluster that listens, and returns its address.
func outside(s *scene, name string) (*cluster.Host, string, error) {
	host, err := s.c.StartHost(s.ctx, s.act.Name+name, []string{"server"})
	if err != nil {
		return nil, "", err
	}
	return host, netip.AddrPortFrom(host.Addr, cluster.Port).String(), nil
}

// playHalfClose: the clients say that they send no more, wait for an answer, and nobody hears it.
func playHalfClose(s *scene) error {
	host, address, err := outside(s, "-db")
	if err != nil {
		return err
	}
	s.at(0, "the host outside goes silent, and the clients shut their side", func() error {
		if err := pauseAll(s); err != nil {
			return err
		}
		at := time.Now()
		if err := s.c.Silence(s.c.Internet, host.Addr); err != nil {
			return err
		}
		for _, p := range s.clients() {
			if err := s.c.ShutForWriting(p.echo); err != nil {
				return err
			}
		}
		return s.truth(at, flow.Retransmitting, flow.PeerSilent)
	})
	return s.crowd(nil, address)
}

// playKeepaliveSilent: idle clients ask a host that is gone, and get no answer.
func playKeepaliveSilent(s *scene) error {
	const every = 3 * time.Second
	host, address, err := outside(s, "-db")
	if err != nil {
		return err
	}
	s.at(0, "the host outside goes silent", func() error {
		at := time.Now()
		if err := s.c.Silence(s.c.Internet, host.Addr); err != nil {
			return err
		}
		return s.truth(at.Add(2*every), flow.HalfOpen, flow.PeerSilent)
	})
	return s.crowd(nil, address, "--idle", "--keepalive", every.String(), "--keepalive-probes", "9")
}

// playDeafClient: a client on the internet lives and never reads what it is sent.
func playDeafClient(s *scene) error {
	front, err := s.serverPod(cluster.PodSpec{Node: s.a.Name, HostNetwork: true, Args: []string{"server", "--listen", ":8010"}})
	if err != nil {
		return err
	}
	accepting := s.took[len(s.took)-1]
	s.at(0, "a client on the internet asks and does not read", func() error {
		at := time.Now()
		_, err := s.c.StartHost(s.ctx, s.act.Name+"-client", []string{
			"client", "--stream", "16000", "--interval", "50ms", "--connections", strconv.Itoa(s.act.Flows), "--server", netip.AddrPortFrom(front.Addr, 8010).String(), // apart from vanished-clients
		})
		if err != nil {
			return err
		}
		if _, err := front.Echo.AwaitKind(s.ctx, s.act.Flows, record.Accepted); err != nil {
			return err
		}
		return s.truthOf([]*party{accepting}, Verdict{Since: at, Symptom: flow.ZeroWindow, Cause: flow.SlowReader}, never)
	})
	return nil
}
