package phrase_test

import (
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

func TestCounts(t *testing.T) {
	name := func(n int) string { return string(rune('a' + n)) }
	for _, c := range []struct{ got, want string }{
		{phrase.Number(0), "0"},
		{phrase.Number(999), "999"},
		{phrase.Number(uint32(25000)), "25,000"},
		{phrase.Number(uint64(1234567)), "1,234,567"},
		{phrase.Count(0, "flow", "flows"), "0 flows"},
		{phrase.Count(1, "flow", "flows"), "1 flow"},
		{phrase.Count(25000, "flow", "flows"), "25,000 flows"},
		{phrase.Noun(1, "it", "them"), "it"},
		{phrase.Bytes(0), "0 B"},
		{phrase.Bytes(uint32(10<<10 - 1)), "10,239 B"},
		{phrase.Bytes(uint64(46336)), "45 KiB"},
		{phrase.Bytes(uint64(12 << 20)), "12 MiB"},
		{phrase.Process("echo", 4711), "echo[4711]"},
		{phrase.Process("echo", 0), "echo"},
		{phrase.Process("", 4711), "?[4711]"},
		{phrase.Process("", 0), ""},
		{phrase.Some(0, 2, name), ""},
		{phrase.Some(2, 2, name), "a, b"},
		{phrase.Some(2002, 2, name), "a, b and 2,000 more"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
