package chaos

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// scrapes: however many ask for metrics, the agent does its work.
func scrapes() Fault {
	const (
		scrapers = 64
		fresh    = 100
	)
	return Fault{
		Name:  "scrape-storm",
		Story: "64 scrapers read /metrics without a pause",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			storming, stop := context.WithCancel(ctx)
			var group sync.WaitGroup
			var whole, refused, failed atomic.Int64
			for range scrapers {
				group.Go(func() {
					for storming.Err() == nil {
						body, status, err := l.agent.get(storming, l.agent.address, "/metrics")
						switch {
						case storming.Err() != nil:
							return
						case err == nil && status == http.StatusOK && len(body) > 0:
							whole.Add(1)
						case err == nil && status == http.StatusServiceUnavailable:
							refused.Add(1)
							_ = pause(storming, 100*time.Millisecond)
						default:
							failed.Add(1)
						}
					}
				})
			}
			if err := pause(ctx, time.Second); err != nil {
				stop()
				return err
			}
			err := l.stillWorks(ctx, o, fresh)
			stop()
			group.Wait()
			o.inject(int(whole.Load() + refused.Load() + failed.Load()))
			o.see("%d scrapes answered, %d told to come later, %d failed", whole.Load(), refused.Load(), failed.Load())
			if failed.Load() > 0 {
				o.lose("%d scrapes failed", failed.Load())
			}
			return err
		},
	}
}
