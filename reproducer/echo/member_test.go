package main

import (
	"testing"
	"time"
)

func TestTheLongestWait(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	var m member
	for _, wait := range []struct{ asked, answered, resumed int }{
		{0, 1, 1}, {5, 13, 13}, {20, 21, 13}, {30, 38, 13},
	} {
		m.asked = after(wait.asked)
		m.answered(after(wait.answered))
		m.answered(after(wait.answered + 100)) // no test waits for this one
		if m.resumed != after(wait.resumed) {
			t.Errorf("waited from %d to %d: resumed at %s, want %s", wait.asked, wait.answered, m.resumed, after(wait.resumed))
		}
	}
}
