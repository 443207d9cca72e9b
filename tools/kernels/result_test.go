package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const probe = `package probe

import (
	"os"
	"testing"
)

func TestPasses(t *testing.T) { t.Run("sub", func(*testing.T) {}) }
func TestLacks(t *testing.T)  { t.Run("sub", func(t *testing.T) { t.Skip("this kernel has no tcp_rto_max_ms") }) }
func TestSkips(t *testing.T)  { t.Skip("no reason") }
func TestFails(t *testing.T)  { t.Run("sub", func(t *testing.T) { t.Error("broken") }) }
func TestExits(*testing.T)    { os.Exit(7) }
`

// runProbe runs tests of a real test binary as a guest would.
func runProbe(t *testing.T, pattern string) said {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module example.test/probe\n\ngo 1.26\n", "probe_test.go": probe} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "test", "-c", "-o", "probe.test")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.Command(filepath.Join(dir, "probe.test"), "-test.v=test2json", "-test.run="+pattern)
	out, _ := run.CombinedOutput()
	return said{text: string(out), status: run.ProcessState.ExitCode()}
}

func TestJudgeTests(t *testing.T) {
	all := []string{"TestPasses", "TestLacks", "TestSkips", "TestFails"}
	for _, c := range []struct {
		name, pattern string
		tests         []string
		want          []string
	}{
		{
			"each test reports, and subtests that did not pass", "Passes|Lacks|Skips|Fails", all,
			[]string{"pass TestPasses", "skip TestLacks/sub", "pass TestLacks", "skip TestSkips BAD", "FAIL TestFails/sub BAD", "FAIL TestFails BAD"},
		},
		{"one did not run", "Passes|Lacks", all[:3], []string{"pass TestPasses", "skip TestLacks/sub", "pass TestLacks", "MISSING TestSkips BAD"}},
		{"the program died", "Passes|Exits", []string{"TestPasses", "TestExits"}, []string{"pass TestPasses", "FAIL  BAD", "MISSING TestExits BAD"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := tell(judge(t.Context(), job{name: "probe", tests: c.tests}, map[string]said{"probe": runProbe(t, c.pattern)}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// tell shortens results: verdict, test, and whether it counts as failed.
func tell(results []result) []string {
	var all []string
	for _, r := range results {
		line := string(r.verdict) + " " + r.test
		if r.bad() {
			line += " BAD"
		}
		all = append(all, line)
	}
	return all
}

func TestNoGuestIsNoSuccess(t *testing.T) {
	for _, j := range []job{{name: "probe", tests: []string{"TestPasses"}}, {name: "scenario calico"}} {
		got := judge(t.Context(), j, nil)
		if len(got) != 1 || !got[0].bad() || got[0].verdict != missing {
			t.Errorf("%s: %v", j.name, got)
		}
	}
}

func TestJudgeProgram(t *testing.T) {
	const sentence = "tcpstuck-agent: this kernel cannot run tcpstuck: it lacks a; Linux 5.12 is the oldest that has all it needs\n"
	j := refuse().jobs[0]
	for _, c := range []struct {
		name string
		said said
		want verdict
	}{
		{"as it should", said{text: sentence, status: 2}, pass},
		{"another status", said{text: sentence, status: 1}, fail},
		{"more than a sentence", said{text: "level=WARN msg=first\n" + sentence, status: 2}, fail},
		{"another sentence", said{text: strings.ReplaceAll(sentence, "cannot", "can"), status: 2}, fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := judge(t.Context(), j, map[string]said{j.name: c.said}); got[0].verdict != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}
