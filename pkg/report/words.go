// Package report says findings in the words that people read: on a terminal
// and on the page. It is pure: findings and the present moment in, text out.
// Times are told in the time zone of that moment.
package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// span says a duration in its two largest units: 0.4s, 12s, 11m40s, 2h5m, 3d4h.
func span(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Second:
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', -1, 64) + "s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return units(int(d.Minutes()), "m", int(d.Seconds())%60, "s")
	case d < 24*time.Hour:
		return units(int(d.Hours()), "h", int(d.Minutes())%60, "m")
	}
	return units(int(d.Hours())/24, "d", int(d.Hours())%24, "h")
}

func units(large int, unit string, small int, smallUnit string) string {
	if small == 0 {
		return fmt.Sprint(large, unit)
	}
	return fmt.Sprint(large, unit, small, smallUnit)
}

// exactSpan says a timer with the tenths that the kernel gives it.
func exactSpan(d time.Duration) string {
	if d >= time.Minute {
		return span(d)
	}
	return strconv.FormatFloat(d.Round(10*time.Millisecond).Seconds(), 'f', -1, 64) + "s"
}

// clock says a time of day, with its date when that is not today's.
func clock(now, t time.Time) string {
	t = t.In(now.Location())
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format(time.TimeOnly)
	}
	return t.Format("2006-01-02 15:04:05")
}

// number says a count with its digits in groups of three.
func number[T ~int | ~uint32 | ~uint64](n T) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// count says a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// size says bytes: exactly while that is short, then rounded.
func size(n uint64) string {
	switch {
	case n < 10<<10:
		return number(n) + " B"
	case n < 10<<20:
		return number(n>>10) + " KiB"
	}
	return number(n>>20) + " MiB"
}
