package phrase_test

import (
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour:                        "0s",
		0:                                 "0s",
		999 * time.Microsecond:            "0s",
		time.Millisecond:                  "1ms",
		250 * time.Millisecond:            "250ms",
		999999 * time.Microsecond:         "999ms",
		time.Second:                       "1s",
		1550 * time.Millisecond:           "1.5s",
		9999 * time.Millisecond:           "9.9s",
		12900 * time.Millisecond:          "12s",
		59999 * time.Millisecond:          "59s",
		time.Minute:                       "1m",
		700 * time.Second:                 "11m40s",
		time.Hour - time.Nanosecond:       "59m59s",
		2*time.Hour + 5*time.Minute:       "2h5m",
		2*time.Hour + 59*time.Second:      "2h",
		24*time.Hour - time.Nanosecond:    "23h59m",
		76*time.Hour + 59*time.Minute:     "3d4h",
		100*24*time.Hour + 59*time.Minute: "100d",
	} {
		if got := phrase.Duration(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// TestDurationsKeepTheirOrder: what is longer never reads as shorter.
func TestDurationsKeepTheirOrder(t *testing.T) {
	for d := time.Duration(0); d < 400*24*time.Hour; d += d/97 + 7*time.Millisecond {
		read, err := time.ParseDuration(hours(phrase.Duration(d)))
		if err != nil {
			t.Fatal(err)
		}
		if read > d || d-read >= max(d/5, time.Millisecond) {
			t.Errorf("%v reads as %v", d, read)
		}
	}
}

// hours turns days into hours, which Go can read.
func hours(s string) string {
	days := 0
	for i, r := range s {
		if r == 'd' {
			return (time.Duration(days) * 24 * time.Hour).String() + s[i+1:]
		}
		if r < '0' || r > '9' {
			break
		}
		days = 10*days + int(r-'0')
	}
	return s
}
