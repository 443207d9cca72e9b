package accuracy

import (
	"strconv"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// transferKinds: transfers that lose their end though every write succeeded,
// and the one that does not. An agent reports so many a second and counts the
// others, so the transfers begin one after the other.
func transferKinds() []Kind {
	return []Kind{
		{Name: "truncated-unread", Most: 10, play: func(s *scene) error { return playProducer(s, flow.ClosedUnread, "2s", "careless") }},
		{Name: "truncated-late-ping", Most: 10, play: func(s *scene) error { return playProducer(s, flow.DataAfterClose, "2s", "hasty") }},
		{Name: "truncated-drain-timeout", Most: 10, play: func(s *scene) error {
			return playProducer(s, flow.DataAfterClose, "4s", "draining", "--patience", "1s")
		}},
		{Name: "truncated-consumer", Most: 10, play: playConsumer},
		{Name: "truncated-drained", Most: 10, play: func(s *scene) error { return playProducer(s, "", "2s", "draining", "--patience", "30s") }},
	}
}

// transfer starts a consumer that reads nothing for a while, and producers that send at
// a signal and end in a manner.
func transfer(s *scene, producerNode, consumerNode, hold string, manner ...string) (producer, consumer *cluster.Pod, err error) {
	svc, err := s.service()
	if err != nil {
		return nil, nil, err
	}
	consumer, err = s.c.StartPod(s.ctx, cluster.PodSpec{Workload: s.act.Name, Node: consumerNode, Args: []string{"consume", "--hold", hold, "--ping", "300ms"}})
	if err != nil {
		return nil, nil, err
	}
	args := append([]string{"produce", "--on-signal", "--connections", strconv.Itoa(s.act.Flows), "--consumer", svc.Address(), "--manner"}, manner...)
	producer, err = s.c.StartPod(s.ctx, cluster.PodSpec{Workload: s.act.Name + "-client", Node: producerNode, Args: args})
	if err != nil {
		return nil, nil, err
	}
	_, err = producer.Echo.AwaitKind(s.ctx, 1, record.Ready)
	return producer, consumer, err
}

// playProducer: the agent sees the producers, which lose what they sent; without
// a cause they lose nothing.
func playProducer(s *scene, cause flow.Cause, hold string, manner ...string) error {
	producer, consumer, err := transfer(s, s.a.Name, calm, hold, manner...)
	if err != nil {
		return err
	}
	s.watch(&party{pod: producer, addr: producer.Addr, echo: producer.Echo, role: flow.Client, family: s.lab.family, peer: consumer.Echo})
	s.at(0, "the transfers begin", func() error {
		if cause != "" {
			if err := s.onlyLater(Verdict{Since: time.Now(), Symptom: flow.Truncated, Cause: cause}); err != nil {
				return err
			}
		}
		return producer.Echo.Signal(syscall.SIGUSR1)
	})
	return nil
}

// playConsumer: the agent sees the consumers, which miss what was sent to them.
func playConsumer(s *scene) error {
	producer, consumer, err := transfer(s, calm, s.a.Name, "2s", "hasty")
	if err != nil {
		return err
	}
	p := s.watch(&party{pod: consumer, addr: consumer.Addr, echo: consumer.Echo, role: flow.Server, family: s.lab.family})
	s.at(0, "the transfers begin", func() error {
		p.now.Verdicts = []Verdict{{Since: time.Now(), Symptom: flow.Truncated, Cause: flow.ResetByPeer}}
		return producer.Echo.Signal(syscall.SIGUSR1)
	})
	return nil
}
