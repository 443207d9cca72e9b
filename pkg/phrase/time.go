package phrase

import "time"

const (
	dateLayout  = "2006-01-02 "
	clockLayout = "15:04:05"
	milliLayout = "15:04:05.000"
	zone        = "Z" // as RFC 3339 writes UTC
)

// Time returns a time of day in UTC, such as 14:02:23. If its date is not that of now,
// the date comes first.
func Time(t, now time.Time) string { return at(t, now, clockLayout) }

// Zoned returns Time with its zone: 14:02:23Z.
func Zoned(t, now time.Time) string { return at(t, now, clockLayout) + zone }

// Milli returns Time to the millisecond: 14:02:23.300. A story needs that for its
// order.
func Milli(t, now time.Time) string { return at(t, now, milliLayout) }

// Moment returns date, time of day and zone: 2026-03-01 14:02:23Z.
func Moment(t time.Time) string { return t.UTC().Format(dateLayout+clockLayout) + zone }

// Stamp returns a time as programs read it: 2026-03-01T14:02:23Z.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func at(t, now time.Time, layout string) string {
	t, now = t.UTC(), now.UTC()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format(layout)
	}
	return t.Format(dateLayout + layout)
}
