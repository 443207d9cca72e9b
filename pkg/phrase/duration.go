package phrase

import (
	"strconv"
	"time"
)

const day = 24 * time.Hour

// Duration returns a duration in its two largest units, cut off and not
// rounded: 250ms, 1.5s, 12s, 11m40s, 2h5m, 3d4h. A second unit of zero is left
// out. A negative duration is 0s.
func Duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "0s"
	case d < time.Second:
		return count(d/time.Millisecond) + "ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', -1, 64) + "s"
	case d < time.Minute:
		return count(d/time.Second) + "s"
	case d < time.Hour:
		return twoUnits(d, time.Minute, "m", time.Second, "s")
	case d < day:
		return twoUnits(d, time.Hour, "h", time.Minute, "m")
	}
	return twoUnits(d, day, "d", time.Hour, "h")
}

func twoUnits(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	n, rest := d/large, d%large/small
	if rest == 0 {
		return count(n) + largeName
	}
	return count(n) + largeName + count(rest) + smallName
}

func count(units time.Duration) string { return strconv.FormatInt(int64(units), 10) }
