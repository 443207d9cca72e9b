package scenario

import (
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestComparePrediction(t *testing.T) {
	since := time.Date(2026, 3, 1, 14, 2, 0, 0, time.UTC)
	ended := since.Add(900 * time.Second)
	at := func(d time.Duration) flow.GivesUp { return flow.GivesUp{At: ended.Add(d)} }
	readAt := func(age, wrong time.Duration) []Reading { return []Reading{{At: since.Add(age), GivesUp: at(wrong)}} }
	for name, tc := range map[string]struct {
		end    End
		shaken bool
		want   string // in the error; empty: none
	}{
		"right":                      {End{First: at(8 * time.Second), Last: at(-40 * time.Millisecond)}, false, ""},
		"first too far off":          {End{First: at(10 * time.Second), Last: at(0)}, false, "first prediction"},
		"last too far off":           {End{First: at(0), Last: at(60 * time.Millisecond)}, false, "last prediction"},
		"shaken":                     {End{First: at(10 * time.Second), Last: at(-time.Second)}, true, ""},
		"shaken, but not predicted":  {End{First: at(0)}, true, "not predicted"},
		"shaken, and never at first": {End{First: flow.GivesUp{Never: true}, Last: at(-time.Second)}, true, ""},
		"never":                      {End{First: flow.GivesUp{Never: true}, Last: at(0)}, false, "not predicted"},
		"early reading is off":       {End{First: at(0), Last: at(0), Readings: readAt(59*time.Second, 3*time.Second)}, false, ""},
		"later reading is right":     {End{First: at(0), Last: at(0), Readings: readAt(61*time.Second, 900*time.Millisecond)}, false, ""},
		"later reading is off":       {End{First: at(0), Last: at(0), Readings: readAt(61*time.Second, -2*time.Second)}, false, "after 1m1s"},
		"later reading is too late":  {End{First: at(0), Last: at(0), Readings: readAt(61*time.Second, 2*time.Second)}, false, "after 1m1s"},
		"later reading says nothing": {End{First: at(0), Last: at(0), Readings: []Reading{{At: since.Add(time.Hour)}}}, false, "is wrong"},
	} {
		tc.end.Real, tc.end.Since = ended, since
		played := trial{Lab: &Lab{Timeline: NewTimeline(io.Discard)}, scenario: Scenario{shaken: tc.shaken}}
		err := played.comparePrediction(tc.end)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func TestErrnoNamed(t *testing.T) {
	for name, want := range map[string]syscall.Errno{"ETIMEDOUT": syscall.ETIMEDOUT, "EHOSTUNREACH": syscall.EHOSTUNREACH, "ENONSENSE": 0} {
		if got := errnoNamed(name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}

// TestExpectedErrorsExist: with an invalid name, applicationReads would look for
// an error that is never written.
func TestExpectedErrorsExist(t *testing.T) {
	for _, s := range All() {
		if name := s.Expected.Error; name != "" && errnoNamed(name) == 0 {
			t.Errorf("%s expects %s, which is no errno", s.Name, name)
		}
	}
}

func TestFull(t *testing.T) {
	var full []string
	for _, s := range All() {
		f, err := s.Full()
		if err != nil {
			continue
		}
		full = append(full, f.Name)
		if f.Expected.Outcome != flow.TimedOut || f.Expected.Error != "ETIMEDOUT" || !f.full {
			t.Errorf("%s in full expects %s", f.Name, f.Expected)
		}
	}
	for _, want := range []string{"calico", "headless"} {
		if !slices.Contains(full, want) {
			t.Errorf("%s cannot be played in full", want)
		}
	}
	for _, control := range []string{"lossy", "idle-half-open", "user-timeout"} {
		if slices.Contains(full, control) {
			t.Errorf("%s can be played in full, and has no such end", control)
		}
	}
}
