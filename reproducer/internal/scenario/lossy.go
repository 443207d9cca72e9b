package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// lossy is the control to every retransmitting flow: its data gets through.
func lossy() Scenario {
	return Scenario{
		Name: "lossy",
		Story: "A client talks to a ClusterIP over a path that loses one packet in five, at random.\n" +
			"It retransmits all the time, and every time its data arrives in the end.\n" +
			"Nothing is stuck.",
		// With less, chance alone would lose all 5 or 6 copies of a segment that are sent
		// in that time, once in some hundred runs.
		stuckAfter: 10 * time.Second,
		prepare:    func(ctx context.Context, l *Lab) error { return l.startPair(ctx, false) },
		fault: func(ctx context.Context, l *Lab) (time.Time, error) {
			before, err := l.Agent.Scrape()
			if err != nil {
				return time.Time{}, err
			}
			had, _ := before.Sum("tcpstuck_retransmissions_total")
			begin := time.Now()
			if err := l.Cluster.Lose(l.Server.Node.Machine, 20); err != nil {
				return begin, err
			}
			if err := l.Watch(ctx, 12*time.Second); err != nil {
				return begin, err
			}
			answers := 0
			for _, r := range l.Client.Echo.Records() {
				if r.Kind == record.Read && r.Time.After(begin) {
					answers++
				}
			}
			if answers < 5 {
				return begin, fmt.Errorf("the client got %d answers: that is no progress", answers)
			}
			l.Timeline.Add("the client got %d answers meanwhile", answers)
			return begin, l.AwaitMetric(ctx, "tcpstuck_retransmissions_total", time.Second, func(v float64) bool { return v > had })
		},
	}
}
