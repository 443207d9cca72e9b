package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/accuracy"
)

func TestParseSeeds(t *testing.T) {
	got, err := parseSeeds(" 1 22  3 ")
	if diff := cmp.Diff([]uint64{1, 22, 3}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, bad := range []string{"", "one", "-1"} {
		if got, err := parseSeeds(bad); err == nil {
			t.Errorf("%q was taken: %v", bad, got)
		}
	}
}

func TestOrder(t *testing.T) {
	for line, want := range map[string]struct{ plans, rounds, first int }{
		"":                           {1, 0, 1},
		"-seed 42 -flows 1":          {1, 1, 1},
		"-seed 1~2 -flows 1":         {2, 1, 1},
		"-seed 42 -only 3":           {1, 1, 3},
		"-seed 42 -only 40 -flows 1": {1, 1, 40},
		"-seed 42 -only 1/ACT":       {1, 1, 1},
		"-seed 42 -only 1/ACT/1.5":   {1, 1, 1},
	} {
		o, err := readOrder(words(line))
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		p := o.plans[0]
		if len(o.plans) != want.plans || want.rounds > 0 && len(p.Rounds) != want.rounds || p.Rounds[0].Number != want.first {
			t.Errorf("%q: %d plans, %d rounds from %d", line, len(o.plans), len(p.Rounds), p.Rounds[0].Number)
		}
		if p.Seed == 0 {
			t.Errorf("%q: no seed was drawn", line)
		}
	}
}

// TestOrderIsRefused: what cannot come to anything is refused with one line
// before anything is played.
func TestOrderIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "report.md")
	const kept = "an old report\n"
	if err := os.WriteFile(file, []byte(kept), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"-flows 0":                             "-flows 0: from 1",
		"-flows -5":                            "-flows -5: from 1",
		"-flows 1000000000":                    "from 1 to 100000",
		"-flows abc":                           `invalid value "abc" for flag -flows`,
		"-parallel 0":                          "-parallel 0: at least 1",
		"-seed one":                            `seed "one" is no number`,
		"-seed 42 3/calico-7":                  `"3/calico-7" is no flag`,
		"-seed 42 -only 0":                     `"0" is no round: they count from 1 to 10000`,
		"-seed 42 -only -2/x":                  `"-2" is no round`,
		"-seed 42 -only 10001":                 `"10001" is no round`,
		"-seed 42 -only 9223372036854775807":   "is no round",
		"-seed 42 -only 03/calico-7/1.5":       `"03" is no round`,
		"-seed 42 -only x":                     `"x" is no round`,
		"-seed 42 -only /":                     `"" is no round`,
		"-seed 42 -only 1/":                    `round 1 of seed 42 has no act ""; it has `,
		"-seed 42 -only 1/nosuch":              `round 1 of seed 42 has no act "nosuch"; it has `,
		"-seed 42 -only 1/nosuch/1.5":          `has no act "nosuch"`,
		"-seed 42 -only 1/ACT/":                `"" is no flow of an act`,
		"-seed 42 -only 1/ACT/5":               `"5" is no flow of an act`,
		"-only 3":                              "-only 3 needs the seed that it was seen with",
		"-seed 00 -only 3":                     "needs the seed",
		"-seed 1~2 -only 3":                    "needs the seed",
		"-report " + dir:                       "-report: open " + dir + ": is a directory",
		"-report " + dir + "/none/report.md":   "-report: open " + dir + "/none/report.md: no such file",
		"-keep " + dir + "/none":               "-keep: open " + dir + "/none/",
		"-keep " + file:                        "-keep: open " + file,
		"-flows 0 -report " + file:             "-flows 0",
		"-judge " + dir + " -seed 42":          "-judge plays nothing: -seed does not go with it",
		"-judge " + dir + " -report " + dir:    "-report: open " + dir + ": is a directory",
		"-report " + file + " -keep /dev/null": "-keep: ",
	} {
		_, err := readOrder(words(line))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", line, err, want)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %v", line, err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != kept {
		t.Errorf("the kept report is %q, %v", b, err)
	}
}

// words reads a line; ~ stands for a blank in a word, ACT for the first act of
// seed 42.
func words(line string) []string {
	first := accuracy.NewPlan(42, 1, accuracy.Kinds()).Rounds[0].Acts[0].Name
	line = strings.ReplaceAll(line, "ACT", first)
	all := strings.Fields(line)
	for i := range all {
		all[i] = strings.ReplaceAll(all[i], "~", " ")
	}
	return all
}

// TestOrderLeavesNoTrace: whether the report and the books can be written is
// tried without changing anything.
func TestOrderLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "report.md")
	if _, err := readOrder([]string{"-report", file, "-keep", dir}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	const kept = "an old report\n"
	if err := os.WriteFile(file, []byte(kept), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readOrder([]string{"-report", file}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != kept {
		t.Errorf("the kept report is %q, %v", b, err)
	}
}

// TestVerdict: what a run that was played to its end comes to.
func TestVerdict(t *testing.T) {
	right := accuracy.Result{Scores: []accuracy.Score{{Label: accuracy.Label{Flow: "1/calico-7/1.5"}}}}
	if err := verdict("", right); err != nil {
		t.Error(err)
	}
	if err := verdict("1/calico-7/1.5", right); err != nil {
		t.Error(err)
	}
	if err := verdict("", accuracy.Result{}); !errors.Is(err, errUnexpected) {
		t.Errorf("no flow at all: got %v", err)
	}
	const want = "-only 1/calico-7/1.6: its round was played, and has no flow of that name"
	if err := verdict("1/calico-7/1.6", right); err == nil || err.Error() != want {
		t.Errorf("a flow that never was: got %v", err)
	}
}

func TestWriteReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.md")
	if err := os.WriteFile(path, []byte("# Words\n\n"+reportMark+"\nan old report\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it finds its own
		if err := writeReport(path, accuracy.Result{Seeds: []uint64{42}}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b); !strings.HasPrefix(got, "# Words\n\n"+reportMark+"\nSeeds: 42.") || strings.Contains(got, "an old report") || strings.Count(got, "Seeds:") != 1 {
		t.Errorf("the file has:\n%s", got)
	}
}

// TestNothingIsJudged: a folder without books is no run that passes.
func TestNothingIsJudged(t *testing.T) {
	folder := t.TempDir()
	if err := measure(t.Context(), []string{"-judge", folder}, io.Discard); err == nil || !strings.Contains(err.Error(), folder+" has no round's book") {
		t.Errorf("got %v", err)
	}
}
