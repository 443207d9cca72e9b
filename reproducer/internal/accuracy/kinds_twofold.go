package accuracy

import (
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// twofoldKinds: one fault meets another. The order of causes says which verdict is true
// then.
func twofoldKinds() []Kind {
	return []Kind{
		{Name: "down-then-deleted", Later: true, play: playDownThenDeleted},
		{Name: "refused-then-deleted", Later: true, play: playRefusedThenDeleted},
		{Name: "stopped-then-deleted", Most: 14, Later: true, play: playStoppedThenDeleted},
		{Name: "filtered-then-deleted", play: playFilteredThenDeleted},
		{Name: "evicted-then-deleted", Later: true, play: playEvictedThenDeleted},
	}
}

// second is when the second fault comes: the first was reported before that.
const second = 7 * time.Second

func playDownThenDeleted(s *scene) error {
	server, _, err := s.behind(s.node(), nil)
	s.at(0, "the server's node is cut off", func() error {
		at := time.Now()
		if err := s.c.Cut(server.Node.Machine); err != nil {
			return err
		}
		return s.truth(at, flow.Retransmitting, flow.PeerUnreachable)
	})
	deletedThen(s, "the server's pod is deleted", server)
	return err
}

func playRefusedThenDeleted(s *scene) error {
	server, _, err := s.behind(calm, nil)
	s.at(0, "the path refuses the server's address", func() error {
		at := time.Now()
		if err := s.c.Refuse(server.Node.Machine, server.Addr); err != nil {
			return err
		}
		return s.truth(at, flow.Retransmitting, flow.RouterRejects)
	})
	deletedThen(s, "the server's pod is deleted", server)
	return err
}

// deletedThen deletes, as the second fault, the server that conntrack still
// points at.
func deletedThen(s *scene, what string, server *cluster.Pod) {
	s.at(second, what, func() error {
		removal, err := s.remove(server)
		if err != nil {
			return err
		}
		return s.truth(removal.Object, flow.Retransmitting, flow.StaleConntrack)
	})
}

func playStoppedThenDeleted(s *scene) error {
	server, err := reader(s, calm)
	s.at(0, "the server stops reading", func() error {
		if err := server.Echo.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		return s.truth(time.Now(), flow.ZeroWindow, flow.SlowReader)
	})
	s.at(second, "the server's pod is deleted", func() error {
		removal, err := s.remove(server)
		if err != nil {
			return err
		}
		// Only probes without an answer show that its kernel is gone, too.
		return s.truthOf(s.clients(), Verdict{Since: removal.Object, Symptom: flow.ZeroWindow, Cause: flow.StaleConntrack, Slack: 12 * time.Second})
	})
	return err
}

func playFilteredThenDeleted(s *scene) error {
	server, err := hostCrowd(s)
	s.at(0, "a filter of the host drops what is sent", func() error {
		at := time.Now()
		if err := s.c.DropSent(s.a.Machine, server.Addr); err != nil {
			return err
		}
		return s.truth(at, flow.LocalDrop, flow.LocalFilter)
	})
	s.at(second, "the server's pod is deleted", func() error {
		_, err := s.remove(server)
		return err
	})
	return err
}

func playEvictedThenDeleted(s *scene) error {
	server, _, err := s.behind(s.node(), nil)
	s.at(0, "the server's node is cut off, and its pods are evicted", func() error {
		at := time.Now()
		if err := s.c.Cut(server.Node.Machine); err != nil {
			return err
		}
		if err := s.c.LoseNode(server.Node); err != nil {
			return err
		}
		return s.truth(at, flow.Retransmitting, flow.PeerUnreachable)
	})
	deletedThen(s, "the server's pod is deleted for good", server)
	return err
}
