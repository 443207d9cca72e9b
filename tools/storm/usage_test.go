package main

import "testing"

func TestStolenTicksAreRead(t *testing.T) {
	text := "cpu  10 20 30 40 50 60 70 81 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n"
	if n, err := parseStolen(text); n != 81 || err != nil {
		t.Errorf("%d, %v; want 81", n, err)
	}
	for _, text := range []string{"", "cpu  1 2 3\n", "intr 1 2 3 4 5 6 7 8 9\n", "cpu  1 2 3 4 5 6 7 x 9\n"} {
		if n, err := parseStolen(text); err == nil {
			t.Errorf("%q: %d, want an error", text, n)
		}
	}
}
