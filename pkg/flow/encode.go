package flow

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The functions of this package write each JSON form member by member. An answer has
// thousands of findings, and reflection took a third of the agent's time for it. The tags
// of the fields describe the same form, and a test compares both. One tag is this
// package's own: zero:"null" makes the zero value null, since it means not known. A time
// is UTC to the millisecond, and the zero time is null. A duration is in seconds. A slice
// is never null.

// appendList appends a list. The function appends one element.
func appendList[T any](b []byte, list []T, element func([]byte, *T) []byte) []byte {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, &list[i])
	}
	return append(b, ']')
}

// appendEndpoint appends the address, whose name is there, and the port.
func appendEndpoint(b []byte, a netip.AddrPort) []byte {
	b = append(b, '"')
	if a.Addr().IsValid() {
		b = a.Addr().AppendTo(b)
	}
	b = append(b, `","port":`...)
	return strconv.AppendUint(b, uint64(a.Port()), 10)
}

// appendSeconds appends a duration, rounded to milliseconds.
func appendSeconds(b []byte, d time.Duration) []byte { return appendThousandths(b, d.Seconds()) }

// appendThousandths appends a number with at most three decimals.
func appendThousandths(b []byte, x float64) []byte {
	n := int64(x*1000 + 0.5)
	if n < 0 || n >= 1e15 { // more digits than a float64 has
		return strconv.AppendFloat(b, float64(n)/1000, 'f', -1, 64)
	}
	return appendDecimals(strconv.AppendInt(b, n/1000, 10), int(n%1000))
}

// appendDecimals appends thousandths as the point and the digits behind it, as few as
// there are.
func appendDecimals(b []byte, n int) []byte {
	switch {
	case n == 0:
		return b
	case n%100 == 0:
		return append(b, '.', digit(n/100))
	case n%10 == 0:
		return append(b, '.', digit(n/100), digit(n/10))
	}
	return append(b, '.', digit(n/100), digit(n/10), digit(n))
}

func appendNull(b []byte) []byte { return append(b, "null"...) }

func digit(n int) byte { return '0' + byte(n%10) }

func appendNumber(b []byte, n uint32) []byte { return strconv.AppendUint(b, uint64(n), 10) }

// appendKnown appends a string, or null if it is empty.
func appendKnown[S ~string](b []byte, s S) []byte {
	if s == "" {
		return appendNull(b)
	}
	return appendString(b, s)
}

func appendString[S ~string](b []byte, s S) []byte {
	if !plain(string(s)) {
		escaped, _ := json.Marshal(string(s)) // a string has no error
		return append(b, escaped...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// plain reports whether encoding/json escapes nothing in a string. It looks at eight
// bytes at once, since most of a long answer is sentences.
func plain(s string) bool {
	for at := 0; at < len(s); {
		switch c := s[at]; {
		case len(s)-at >= 8 && simpleWord(s[at:at+8]):
			at += 8
		case simple[c]:
			at++
		case c < utf8.RuneSelf:
			return false
		default:
			r, size := utf8.DecodeRuneInString(s[at:])
			if r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
				return false
			}
			at += size
		}
	}
	return true
}

// simple are the bytes that are characters by themselves and never escaped.
var simple = func() (is [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return is
}()

// simpleWord reports whether eight bytes are simple. The characters < and > differ in one
// bit, and so do " and &: one comparison finds either of a pair. A borrow from a
// neighbour may make a simple byte look as if it were not. No byte looks simple that is
// not.
func simpleWord(s string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	angle, quote, backslash := (w|2*ones)^'>'*ones, (w|4*ones)^'&'*ones, w^'\\'*ones
	return (w|(w-' '*ones)|(angle-ones)|(quote-ones)|(backslash-ones))&high == 0
}
