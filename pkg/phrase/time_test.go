package phrase_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

func TestTimesAreUTC(t *testing.T) {
	now := time.Date(2026, 3, 1, 14, 2, 23, 300e6, time.UTC)
	east, west := time.FixedZone("LINT", 14*3600), time.FixedZone("AoE", -12*3600)
	for _, moment := range []time.Time{now, now.In(east), now.In(west)} {
		for _, present := range []time.Time{now, now.In(east), now.In(west)} {
			for name, c := range map[string]struct{ got, want string }{
				"time of day":      {phrase.Time(moment, present), "14:02:23"},
				"with its zone":    {phrase.Zoned(moment, present), "14:02:23Z"},
				"milliseconds":     {phrase.Milli(moment, present), "14:02:23.300"},
				"whole moment":     {phrase.Moment(moment), "2026-03-01 14:02:23Z"},
				"for programs":     {phrase.Stamp(moment), "2026-03-01T14:02:23Z"},
				"the next day":     {phrase.Time(moment, present.Add(10*time.Hour)), "2026-03-01 14:02:23"},
				"a year later":     {phrase.Zoned(moment, present.AddDate(1, 0, 0)), "2026-03-01 14:02:23Z"},
				"the day before":   {phrase.Milli(moment, present.Add(-15*time.Hour)), "2026-03-01 14:02:23.300"},
				"the day's end":    {phrase.Time(moment, present.Add(9*time.Hour)), "14:02:23"},
				"the day's begin":  {phrase.Time(moment, present.Add(-14*time.Hour)), "14:02:23"},
				"of no known time": {phrase.Time(moment, time.Time{}), "2026-03-01 14:02:23"},
			} {
				if c.got != c.want {
					t.Errorf("%s of %s at %s: %q, want %q", name, moment, present, c.got, c.want)
				}
			}
		}
	}
}
