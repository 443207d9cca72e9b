package scenario

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// Between a producer and its consumer.
const (
	pingInterval = 300 * time.Millisecond
	pingBytes    = 5
)

// transferInTime is how long a transfer may take, beyond its own waits.
const transferInTime = 15 * time.Second

// startTransfer starts a consumer that reads nothing for a while, and a
// producer that sends at a signal and ends in a manner.
func startTransfer(ctx context.Context, l *Lab, producerNode, consumerNode string, hold time.Duration, manner ...string) (err error) {
	svc, err := l.Cluster.AddService("consumer", "consumer", false)
	if err != nil {
		return err
	}
	consumer := cluster.PodSpec{Workload: "consumer", Node: consumerNode, Args: []string{
		"consume", "--hold", hold.String(), "--ping", pingInterval.String(),
	}}
	if l.Server, err = l.Cluster.StartPod(ctx, consumer); err != nil {
		return err
	}
	l.Client, err = startProducer(ctx, l, producerNode, svc.Address(), manner...)
	return err
}

func startProducer(ctx context.Context, l *Lab, node, consumer string, manner ...string) (*cluster.Pod, error) {
	spec := cluster.PodSpec{Workload: "producer", Node: node, Args: append([]string{"produce", "--on-signal", "--consumer", consumer, "--manner"}, manner...)}
	p, err := l.Cluster.StartPod(ctx, spec)
	if err != nil {
		return nil, err
	}
	_, err = p.Echo.AwaitKind(ctx, 1, record.Ready)
	return p, err
}

// transfer makes the producer send, and waits until it has closed.
func transfer(ctx context.Context, l *Lab) (time.Time, error) {
	if err := l.Client.Echo.Signal(syscall.SIGUSR1); err != nil {
		return time.Time{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, transferInTime)
	defer cancel()
	closed, err := l.Client.Echo.AwaitKind(waiting, 1, record.Closed)
	if err != nil {
		return time.Time{}, err
	}
	wrote := last(l.Client.Echo.Records(), record.Wrote)
	l.Timeline.Add("the producer has sent %d bytes, as far as it knows, and closed; %d of them are still in its kernel", wrote.Bytes, wrote.Unsent)
	return closed.Time, nil
}

// arrived waits for the consumer's end and returns how many bytes it has read.
func arrived(l *Lab) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), transferInTime)
	defer cancel()
	end, err := l.Server.Echo.AwaitKind(ctx, 1, record.Closed)
	if err != nil {
		return 0, err
	}
	l.Timeline.Add("the consumer has read %d bytes, then %q", end.Bytes, end.Error)
	return end.Bytes, nil
}

// missingAsSaid demands that the bytes that the consumer misses are those that the agent
// reports as lost by the producer: unsent to the byte.
func missingAsSaid(reason flow.LossReason) func(*Lab, flow.Finding) error {
	return func(l *Lab, f flow.Finding) error {
		arrived, err := arrived(l)
		if err != nil {
			return err
		}
		wrote := last(l.Client.Echo.Records(), record.Wrote)
		missing := wrote.Bytes - arrived
		unsent, most := int64(f.Unsent), int64(f.Unsent)+int64(f.Unacknowledged)
		// Between the producer's question and the end the kernel may send more. Then
		// the consumer says how much was left.
		sentMore := unsent < wrote.Unsent && unsent == missing
		switch {
		case unsent == 0 || unsent != wrote.Unsent && !sentMore:
			return fmt.Errorf("the agent says that %d bytes were not sent, the producer's kernel said %d", unsent, wrote.Unsent)
		case missing < unsent || missing > most:
			return fmt.Errorf("%d bytes are missing, the agent says %d to %d", missing, unsent, most)
		}
		l.Timeline.Add("%d bytes are missing at the consumer; the agent says %d to %d", missing, unsent, most)
		return counted(l, reason, f)
	}
}

// counted demands that the metrics count the bytes of this one flow.
func counted(l *Lab, reason flow.LossReason, f flow.Finding) error {
	m, err := l.Agent.Scrape()
	if err != nil {
		return err
	}
	for certainty, want := range map[string]uint32{"unsent": f.Unsent, "unacknowledged": f.Unacknowledged} {
		got := m.Value("tcpstuck_lost_bytes_total", map[string]string{"reason": string(reason), "certainty": certainty})
		if got != float64(want) {
			return fmt.Errorf("tcpstuck_lost_bytes_total for %s, %s is %v, not %d", reason, certainty, got, want)
		}
	}
	if got := m.Value("tcpstuck_lossy_closes_total", map[string]string{"reason": string(reason)}); got != 1 {
		return fmt.Errorf("tcpstuck_lossy_closes_total for %s is %v, not 1", reason, got)
	}
	return nil
}
