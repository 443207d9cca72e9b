package flow

import "time"

// appendTime appends a time in UTC to the millisecond, or null. It is what
// encoding/json writes, in a third of the time.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return appendNull(b)
	}
	t = t.UTC().Round(time.Millisecond)
	year, month, day := t.Date()
	b = append(b, '"')
	if year < 0 || year > 9999 {
		return append(t.AppendFormat(b, time.RFC3339Nano), '"')
	}
	hour, minute, second := t.Clock()
	b = append(b, digit(year/1000), digit(year/100), digit(year/10), digit(year))
	b = appendTwo(append(b, '-'), int(month))
	b = appendTwo(append(b, '-'), day)
	b = appendTwo(append(b, 'T'), hour)
	b = appendTwo(append(b, ':'), minute)
	b = appendTwo(append(b, ':'), second)
	b = appendDecimals(b, t.Nanosecond()/int(time.Millisecond))
	return append(b, 'Z', '"')
}

func appendTwo(b []byte, n int) []byte { return append(b, digit(n/10), digit(n)) }
