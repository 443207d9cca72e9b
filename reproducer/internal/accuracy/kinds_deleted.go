package accuracy

import (
	"strconv"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// deletedKinds: the pod at the other end is deleted, and no segment says so.
func deletedKinds() []Kind {
	return []Kind{
		{Name: "calico", play: playCalico},
		{Name: "headless", play: playHeadless},
		{Name: "user-timeout", play: playUserTimeout},
		{Name: "silent-sender", play: playSilentSender},
		{Name: "address-reuse", Later: true, play: playAddressReuse},
		{Name: "same-node-no-endpoints", Risky: true, play: playNoEndpoints},
		{Name: "idle-half-open", play: playIdleHalfOpen},
		{Name: "keepalive", play: playKeepalive},
		{Name: "half-open-downstream", play: playDownstream},
		{Name: "syn-stale", Most: 12, Risky: true, play: playSynStale},
		{Name: "sidecar", Most: 10, play: playSidecar},
	}
}

// forceDelete deletes a server without grace; its Deployment may replace it.
func (s *scene) forceDelete(p *cluster.Pod) (time.Time, error) {
	removal, err := s.remove(p)
	if err == nil && s.rng.IntN(2) == 0 {
		_, err = s.server(calm)
	}
	return removal.Route, err
}

// remove force-deletes a pod and returns when the records said so.
func (s *scene) remove(p *cluster.Pod) (cluster.Removal, error) {
	removal, err := s.c.ForceDelete(p)
	s.recorded = removal.Object
	return removal, err
}

// mayHasten makes the kernel abort half of the scenes within seconds.
func (s *scene) mayHasten() ([]func(*Label), error) {
	if s.rng.IntN(2) == 0 {
		return nil, nil
	}
	return []func(*Label){ends(flow.TimedOut)}, s.hasten(3 + s.rng.IntN(2))
}

// forceDeletedNow begins a scene with the force-deletion of its server.
func forceDeletedNow(s *scene, server *cluster.Pod, cause flow.Cause, more ...func(*Label)) {
	s.at(0, "the server is force-deleted", func() error {
		return s.perhapsBetween(func() error {
			at, err := s.forceDelete(server)
			if err != nil {
				return err
			}
			return s.truth(at, flow.Retransmitting, cause, more...)
		})
	})
}

func playCalico(s *scene) error {
	server, _, err := s.behind(calm, nil)
	if err != nil {
		return err
	}
	more, err := s.mayHasten()
	forceDeletedNow(s, server, flow.StaleConntrack, more...)
	return err
}

func playHeadless(s *scene) error {
	server, err := s.server(calm)
	if err != nil {
		return err
	}
	if _, err := s.c.AddService(s.act.Name, s.act.Name, true); err != nil {
		return err
	}
	if err := s.crowd(server, server.Address()); err != nil {
		return err
	}
	more, err := s.mayHasten()
	forceDeletedNow(s, server, flow.PeerDeleted, more...)
	return err
}

func playUserTimeout(s *scene) error {
	server, _, err := s.behind(calm, nil, "--user-timeout", strconv.Itoa(3+s.rng.IntN(6))+"s")
	forceDeletedNow(s, server, flow.StaleConntrack, ends(flow.TimedOut))
	return err
}

// sender are the flags of a crowd that only sends, from a small buffer.
var sender = []string{"--stream", "12000", "--send-buffer", "30000"}

func playSilentSender(s *scene) error {
	server, _, err := s.behind(calm, []string{"--discard"}, sender...)
	if err != nil {
		return err
	}
	s.at(0, "the server is force-deleted", func() error {
		at, err := s.forceDelete(server)
		if err != nil {
			return err
		}
		return s.truth(at, flow.Retransmitting, flow.StaleConntrack, ends(flow.TimedOut))
	})
	return s.hasten(4)
}

func playAddressReuse(s *scene) error {
	server, _, err := s.behind(calm, nil)
	if err != nil {
		return err
	}
	s.at(0, "the server is force-deleted while nobody asks", func() error {
		if err := pauseAll(s); err != nil {
			return err
		}
		removal, err := s.remove(server)
		if err != nil {
			return err
		}
		// On a busy machine it is idle for so long that this is reported, rightly.
		return s.truth(removal.Object, flow.HalfOpen, flow.StaleConntrack)
	})
	// Clocks of two machines may be 2 s apart, and the API rounds to 1 s.
	s.at(3200*time.Millisecond, "its address is given to a pod that drops", func() error {
		heir := cluster.PodSpec{Workload: s.act.Name + "-heir", Node: calm, Args: []string{"server"}, Addr: server.Addr, Isolated: true}
		given := time.Now() // the records have it before StartPod returns
		if _, err := s.c.StartPod(s.ctx, heir); err != nil {
			return err
		}
		now := time.Now()
		slack := now.Sub(given) + 2*time.Second
		if err := s.truthOf(s.clients(), Verdict{Since: given, Symptom: flow.HalfOpen, Cause: flow.AddressReused, Slack: slack}); err != nil {
			return err
		}
		if err := s.truthOf(s.clients(), Verdict{Since: now, Symptom: flow.Retransmitting, Cause: flow.AddressReused, Slack: 2 * time.Second}); err != nil {
			return err
		}
		return s.resume()
	})
	return nil
}

func playNoEndpoints(s *scene) error {
	server, _, err := s.behind(s.a.Name, nil)
	s.at(0, "the only server, beside its clients, is force-deleted", func() error {
		return s.between(func() error {
			removal, err := s.remove(server)
			if err != nil {
				return err
			}
			return s.truth(removal.Route, flow.Retransmitting, flow.ConntrackMissing)
		})
	})
	return err
}

func playIdleHalfOpen(s *scene) error {
	server, _, err := s.behind(s.node(), nil, "--idle")
	s.at(0, "the server's node is off, and the pod is deleted", func() error {
		if err := s.c.Cut(server.Node.Machine); err != nil {
			return err
		}
		removal, err := s.remove(server)
		if err != nil {
			return err
		}
		return s.truth(removal.Object, flow.HalfOpen, flow.StaleConntrack, never)
	})
	return err
}

func playKeepalive(s *scene) error {
	server, _, err := s.behind(s.node(), nil, "--idle", "--keepalive", "4s")
	s.at(0, "the server's node is off, and the pod is deleted", func() error {
		if err := s.c.Cut(server.Node.Machine); err != nil {
			return err
		}
		removal, err := s.remove(server)
		if err != nil {
			return err
		}
		return s.truth(removal.Object, flow.HalfOpen, flow.StaleConntrack, ends(flow.TimedOut))
	})
	return err
}

func playDownstream(s *scene) error {
	server, err := s.server(s.a.Name)
	if err != nil {
		return err
	}
	accepting := s.took[len(s.took)-1]
	client, err := s.c.StartPod(s.ctx, cluster.PodSpec{
		Workload: s.act.Name + "-client", Node: s.node(),
		Args: []string{"client", "--idle", "--connections", strconv.Itoa(s.act.Flows), "--server", server.Address()},
	})
	if err != nil {
		return err
	}
	if _, err := server.Echo.AwaitKind(s.ctx, s.act.Flows, record.Accepted); err != nil {
		return err
	}
	s.at(0, "the clients' node is off, and their pod is deleted", func() error {
		if err := s.c.Cut(client.Node.Machine); err != nil {
			return err
		}
		removal, err := s.c.ForceDelete(client)
		if err != nil {
			return err
		}
		return s.truthOf([]*party{accepting}, Verdict{Since: removal.Object, Symptom: flow.HalfOpen, Cause: flow.PeerDeleted}, never)
	})
	return nil
}

// playSynStale: connections end well, and rules that are out of date send the next ones
// nowhere.
func playSynStale(s *scene) error {
	// They connect again when no server is there to refuse them any more.
	server, svc, err := s.behind(calm, nil, "--reconnect", "--interval", "1s")
	s.at(0, "the rules follow nothing, and the server is deleted", func() error {
		s.c.StopProxies(svc)
		if _, err := s.server(calm); err != nil {
			return err
		}
		return s.between(func() error {
			if err := s.onlyLater(Verdict{Since: time.Now(), Symptom: flow.Connecting, Cause: flow.StaleConntrack}); err != nil {
				return err
			}
			_, err := s.c.ForceDeleteLate(s.ctx, server)
			return err
		})
	})
	return err
}

// playSidecar: the proxies' own connections hang, and the applications beside
// them see a closed window.
func playSidecar(s *scene) error {
	svc, err := s.service()
	if err != nil {
		return err
	}
	server, err := s.server(calm, "--discard")
	if err != nil {
		return err
	}
	meshed, err := s.c.StartPod(s.ctx, cluster.PodSpec{Workload: s.act.Name + "-client", Node: s.a.Name, Args: []string{"proxy", "--server", svc.Address()}})
	if err != nil {
		return err
	}
	if err := meshed.SmallBuffers(); err != nil {
		return err
	}
	if err := s.c.Redirect(meshed, svc.ClusterIP); err != nil {
		return err
	}
	n := max(1, s.act.Flows/2)
	beside, err := s.c.StartBeside(meshed, "app", []string{
		"crowd", "--server", svc.Address(), "--source", meshed.Addr.String(), "--connections", strconv.Itoa(n), "--interval", "200ms", "--stream", "8000",
	})
	if err != nil {
		return err
	}
	proxy := s.watch(&party{pod: meshed, addr: meshed.Addr, echo: meshed.Echo, role: flow.Client, family: s.lab.family})
	app := s.watch(&party{pod: meshed, addr: meshed.Addr, echo: beside, role: flow.Client, family: s.lab.family, standing: true})
	if _, err := meshed.Echo.AwaitKind(s.ctx, n, record.Connected); err != nil {
		return err
	}
	s.at(0, "the server is force-deleted", func() error {
		removal, err := s.remove(server)
		if err != nil {
			return err
		}
		if err := s.truthOf([]*party{proxy}, Verdict{Since: removal.Route, Symptom: flow.Retransmitting, Cause: flow.StaleConntrack}); err != nil {
			return err
		}
		return s.truthOf([]*party{app}, Verdict{Since: removal.Route, Symptom: flow.ZeroWindow, Cause: flow.SlowReader}, never)
	})
	return nil
}

// pauseAll makes the clients stop their requests.
func pauseAll(s *scene) error {
	for _, p := range s.clients() {
		if err := p.echo.Signal(syscall.SIGUSR1); err != nil {
			return err
		}
		if _, err := p.echo.AwaitKind(s.ctx, 1, record.Paused); err != nil {
			return err
		}
	}
	return nil
}
