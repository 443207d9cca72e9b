package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestReportsAreReadLineByLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	r := newReports(path)
	begin := time.Unix(1000, 0)
	if err := r.read(begin); err != nil {
		t.Fatalf("before there is a file: %v", err)
	}
	second := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	for n, step := range []struct {
		write string
		want  report // of flow 1f
	}{
		{`{"type":"degraded"}` + "\n", report{}},
		{`{"type":"stuck","flow":{"id":"2f"}}` + "\n", report{}},
		{`{"type":"stuck","flow":{"id":"1f","cause":"Pee`, report{}}, // being written
		{`rSilent"}}` + "\n", report{stuck: second(3), cause: flow.PeerSilent}},
		{`{"type":"stuck","flow":{"id":"1f","cause":"PeerSilent"}}` + "\n", report{stuck: second(3), cause: flow.PeerSilent}},
		{`{"type":"revised","flow":{"id":"1f","cause":"PeerTerminating"}}` + "\n", report{stuck: second(3), cause: flow.PeerTerminating}},
		{`{"type":"recovered","flow":{"id":"1f"}}` + "\n", report{stuck: second(3), recovered: second(6)}},
		{`{"type":"stuck","flow":{"id":"1f"}}` + "\n", report{stuck: second(3), recovered: second(6), relapsed: true}},
		{`{"type":"ended","flow":{"id":"1f"}}` + "\n", report{stuck: second(3), recovered: second(6), relapsed: true}},
	} {
		appendTo(t, path, step.write)
		if err := r.read(second(n)); err != nil {
			t.Fatalf("after %q: %v", step.write, err)
		}
		if diff := cmp.Diff(step.want, r.of(&conn{id: 0x1f}), cmp.AllowUnexported(report{})); diff != "" {
			t.Errorf("after %q: -want +got\n%s", step.write, diff)
		}
	}
	if n, err := r.count([]*conn{{id: 0x1f}, {id: 0x2f}, {id: 0x3f}}, isReported); n != 2 || err != nil {
		t.Errorf("%d of three are reported (%v), want 2", n, err)
	}
	appendTo(t, path, "no event\n")
	if err := r.read(second(9)); err == nil || !strings.Contains(err.Error(), "no event") {
		t.Errorf("what is no event: %v", err)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// A report in time counts, a late or missing one is lost, and the wait for it
// ends.
func TestABatchIsReportedInTime(t *testing.T) {
	for name, c := range map[string]struct {
		after []time.Duration // of each connection's report; 0: never
		says  string
		lost  bool
	}{
		"in time": {[]time.Duration{time.Second, reportTime}, "2 of 2 connections that began to hang during are reported, the slowest after 5.0 s", false},
		"late":    {[]time.Duration{time.Second, reportTime + time.Millisecond}, "the slowest after 5.0 s; 1 came after more than 5 s", true},
		"missing": {[]time.Duration{time.Second, 0}, "1 of 2 connections that began to hang during are reported, the slowest after 1.0 s; 0 came", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReports("nowhere")
				b := batch{when: "during", at: time.Now()}
				for n, after := range c.after {
					b.conns = append(b.conns, &conn{id: flow.ID(n + 1)})
					if after > 0 {
						r.flows[flow.ID(n+1)] = report{stuck: b.at.Add(after)}
					}
				}
				var o Outcome
				if err := onTime(t.Context(), &o, r, b); err != nil {
					t.Fatal(err)
				}
				got, other := o.Seen, o.Lost
				if c.lost {
					got, other = o.Lost, o.Seen
				}
				if len(got) != 1 || len(other) != 0 || !strings.Contains(got[0], c.says) {
					t.Errorf("seen %q, lost %q", o.Seen, o.Lost)
				}
				if waited := time.Since(b.at); c.after[1] > 0 && waited > 0 || waited > forgotten {
					t.Errorf("waited for %v", waited)
				}
			})
		})
	}
}

func TestRefusalsFitTogether(t *testing.T) {
	honest := refusal{counted: true, refused: 3, degraded: []string{"table: 3 flows refused"}, dump: dumped{exit: 2, says: "3 flows are not watched"}}
	everything := refusal{counted: true, dump: dumped{exit: 1, says: "7 flows"}}
	change := func(r refusal, f func(*refusal)) refusal { f(&r); return r }
	for name, c := range map[string]struct {
		r         refusal
		unwatched bool
		wrong     []string
	}{
		"everything is watched":        {r: everything},
		"and some was not before":      {r: change(everything, func(r *refusal) { r.refused = 3 })},
		"some is not watched":          {r: honest, unwatched: true},
		"some suppressed ones are not": {r: honest},
		"no metric":                    {r: change(everything, func(r *refusal) { r.counted = false }), wrong: []string{"no metric"}},
		"blind, and nothing is said": {
			r: change(everything, func(r *refusal) { r.counted, r.dump.exit = false, 0 }), unwatched: true,
			wrong: []string{"no metric", "none counts as refused", "exit status 0, though flows are not watched"},
		},
		"dump says that nothing is stuck": {r: change(everything, func(r *refusal) { r.dump.exit = 0 }), wrong: []string{"exit status 0, though flows are stuck"}},
		"dump says that all is watched":   {r: change(honest, func(r *refusal) { r.dump.exit = 1 }), unwatched: true, wrong: []string{"exit status 1, though flows are not watched"}},
		"dump does not say why":           {r: change(honest, func(r *refusal) { r.dump.says = "7 flows" }), unwatched: true, wrong: []string{"does not say"}},
		"no source is degraded":           {r: change(honest, func(r *refusal) { r.degraded = nil }), unwatched: true, wrong: []string{"no source is degraded"}},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := c.r.wrong(c.unwatched)
			fits := len(wrong) == len(c.wrong)
			for n := range c.wrong {
				fits = fits && strings.Contains(wrong[n], c.wrong[n])
			}
			if !fits {
				t.Errorf("got %q, want %q", wrong, c.wrong)
			}
		})
	}
}
