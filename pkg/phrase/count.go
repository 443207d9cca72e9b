package phrase

import (
	"strconv"
	"strings"
)

// Number returns a count with its digits in groups of three: 25,000.
func Number[T ~int | ~uint32 | ~uint64](n T) string {
	digits := strconv.FormatUint(uint64(n), 10)
	if n < 0 {
		digits = strconv.FormatInt(int64(n), 10)
	}
	if len(digits) <= 3 {
		return digits
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Count returns a number of things with their noun: 1 flow, 25,000 flows.
func Count(n int, one, many string) string {
	return Number(n) + " " + Noun(n, one, many)
}

// Noun returns the word that goes with a number of things.
func Noun(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Bytes returns a size, exact while that is short and then cut off: 258 B,
// 45 KiB, 12 MiB.
func Bytes[T ~int | ~uint32 | ~uint64](n T) string {
	switch {
	case n < 10<<10:
		return Number(n) + " B"
	case n < 10<<20:
		return Number(n>>10) + " KiB"
	}
	return Number(n>>20) + " MiB"
}

// Some lists the first few of perhaps many names: a, b and 3 more. It gets each name
// by its index.
func Some(names, most int, name func(int) string) string {
	var first []string
	for i := range min(names, most) {
		first = append(first, name(i))
	}
	list := strings.Join(first, ", ")
	if names > most {
		return list + " and " + Number(names-most) + " more"
	}
	return list
}
