package accuracy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/internal/progtest"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// few is a round that is over soon: some causes and a control.
func few(turn Turn, at, watch time.Duration) Plan {
	act := func(number int, kind string) Act {
		return Act{Number: number, Name: kind + "-1", Kind: kind, Flows: 6, Clients: 1, At: at, Seed: 3}
	}
	return Plan{Seed: 1, Rounds: []Round{{
		Number: 1, Family: cluster.IPv4, Turn: turn, Watch: watch,
		Acts: []Act{act(1, "calico"), act(2, "headless"), act(3, "node-down"), act(4, "silent-sender"), act(5, "healthy")},
	}}}
}

// defect is a rule of the agent that is broken.
type defect struct{ file, old, new string }

// TestTheRunIsHonest: it passes the agent as it is, and not one that has a
// broken rule.
func TestTheRunIsHonest(t *testing.T) {
	privtest.Require(t)
	const root = "../../.."
	plans := map[Turn]Plan{
		Steady:  few(Steady, time.Second, 24*time.Second),
		Outage:  few(Outage, mutedBy, 6*time.Second),
		Restart: few(Restart, 2*time.Second, findsAgain+2*time.Second),
	}
	for name, tc := range map[string]struct {
		broken *defect
		want   Fault // of some flow
		turn   Turn
	}{
		"as it is": {},
		"conntrack tells nothing": {
			&defect{"pkg/diagnosis/staleconntrack.go", "return redirected(e) && gone(e)", "return false && gone(e)"}, Wrong, Steady,
		},
		"no event is made": {
			&defect{"pkg/inspector/report.go", "suppressed != \"\" && kind != flow.EventAtRisk {", "suppressed != \"\" && kind != flow.EventAtRisk || kind == flow.EventStuck {"}, Missed, Steady,
		},
		"the kernel's model is wrong": {
			&defect{"pkg/deadline/model.go", "return ((2 << n) - 1) * base\n", "return ((2 << n) - 1) * base * 2\n"}, FirstLate, Steady,
		},
		"unknown for ever": {
			&defect{"pkg/inspector/judge.go", "\tif was == is {", "\tif was == is || was.Cause == flow.Unknown {"}, Wrong, Outage,
		},
		"what is old is not reported": {
			&defect{"pkg/inspector/judge.go", "\tcase !ledger.ReportAtOnce(d) &&", "\tcase k.evidence.Now.Sub(k.evidence.Socket.Since) > 10*time.Second:\n\t\treturn verdict{entry: e}\n\tcase !ledger.ReportAtOnce(d) &&"}, Forgotten, Restart,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.broken != nil { // the agent that is to pass is not disturbed
				t.Parallel()
			}
			bin := t.TempDir()
			build(t, root, filepath.Join(bin, "echo"), "reproducer/echo", nil)
			build(t, root, filepath.Join(bin, "tcpstuck-agent"), "cmd/agent", tc.broken)
			var out bytes.Buffer
			r, err := Run(t.Context(), Options{Bin: bin, Base: t.TempDir(), Parallel: 1, Out: &out}, plans[tc.turn])
			if err != nil {
				t.Fatal(err)
			}
			if tc.broken == nil {
				if !r.OK() {
					_ = r.Write(&out)
					t.Errorf("the agent as it is does not pass:\n%s", &out)
				}
				return
			}
			if r.OK() {
				t.Fatal("an agent with a broken rule passes")
			}
			if !slices.ContainsFunc(r.Failures(), func(s Score) bool { return s.Faults[tc.want] != "" }) {
				_ = r.Write(&out)
				t.Errorf("no flow is %s:\n%s", tc.want, &out)
			}
		})
	}
}

// build builds a program, with a broken rule where there is one.
func build(t *testing.T, root, to, pkg string, broken *defect) {
	t.Helper()
	flags := []string{progtest.Small}
	if broken != nil {
		flags = append(flags, "-overlay", overlay(t, root, *broken))
	}
	if err := progtest.Build(root, pkg, to, flags...); err != nil {
		t.Fatal(err)
	}
}

// overlay writes what `go build -overlay` takes to see the defect.
func overlay(t *testing.T, root string, d defect) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, d.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), d.old); n != 1 {
		t.Fatalf("%s has %q %d times", d.file, d.old, n)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "changed.go")
	b, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "overlay.json")
	for name, content := range map[string][]byte{changed: []byte(strings.Replace(string(source), d.old, d.new, 1)), to: b} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
