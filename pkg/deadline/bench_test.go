package deadline_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/deadline"
)

// BenchmarkGivesUp: the shortest maximum of the RTO makes for the most steps.
func BenchmarkGivesUp(b *testing.B) {
	for name, rtoMax := range map[string]time.Duration{"RTOs up to 120 s": 2 * time.Minute, "RTOs up to 1 s": time.Second} {
		s := established()
		s.RTOMax = rtoMax
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				deadline.GivesUp(s)
			}
		})
	}
	s := established()
	s.RTOMax, s.UserTimeout = time.Second, 20*time.Minute
	b.Run("RTOs up to 1 s for 20 minutes", func(b *testing.B) {
		for b.Loop() {
			deadline.GivesUp(s)
		}
	})
}
