package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// project is a tiny module: one function, and tests of every colour.
var project = map[string]string{
	"go.mod": "module example.test/sum\n\ngo 1.26\n",
	"sum.go": "package sum\n\n// Sum adds.\nfunc Sum(a, b int) int {\n\treturn a + b\n}\n\nvar Spare = 1\n",
	"sum_test.go": `package sum

import (
	"os"
	"testing"
)

func TestSum(t *testing.T) {
	t.Run("of two", func(t *testing.T) {
		if Sum(1, 2) != 3 {
			t.Error("wrong")
		}
	})
	t.Run("of nothing", func(t *testing.T) {})
}

func TestRed(t *testing.T)     { t.Error("always") }
// TestLate sees nothing in its first two runs.
func TestLate(t *testing.T) {
	f, err := os.OpenFile(os.Getenv("RUNS"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("x")
	if info, _ := f.Stat(); info.Size() > 2 && Sum(1, 2) != 3 {
		t.Error("wrong")
	}
}

func TestSkipped(t *testing.T) { t.Skip("needs root") }
`,
}

// writeProject lays the project out as a git work tree.
func writeProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range project {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("git", "-C", dir, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	return dir
}

// checkerOf checks the project, and leaves nothing behind.
func checkerOf(t *testing.T, tests runner) *checker {
	t.Helper()
	c := newChecker(writeProject(t), tests)
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCheck(t *testing.T) {
	minus := []line{{'-', "return a + b"}, {'+', "\treturn a - b"}}
	c := checkerOf(t, runner{timeout: 2 * time.Second})
	for name, tc := range map[string]struct {
		hunk []line
		test string
		want string // in the error; empty: the mutant was noticed
	}{
		"noticed":              {minus, "TestSum", ""},
		"noticed by a subtest": {minus, "TestSum/of_two", ""},
		"panics":               {[]line{{'-', "return a + b"}, {'+', `panic("no")`}}, "TestSum", ""},
		"hangs":                {[]line{{'-', "return a + b"}, {'+', "select {}"}}, "TestSum", ""},
		"survives":             {[]line{{'-', "var Spare = 1"}, {'+', "var Spare = 2"}}, "TestSum", "survives"},
		"survives elsewhere":   {minus, "TestSum/of_nothing", "survives"},
		"does not compile":     {[]line{{'-', "return a + b"}, {'+', "return a + c"}}, "TestSum", "does not build"},
		"does not apply":       {[]line{{'-', "return a * b"}, {'+', "return a"}}, "TestSum", "does not apply: sum.go: the old lines are nowhere"},
		"red anyway":           {minus, "TestRed", "without the mutant: the test is red"},
		"skipped":              {minus, "TestSkipped", "without the mutant: the test is skipped"},
		"no such test":         {minus, "TestGone", "without the mutant: there is no such test"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.check(t.Context(), mutant{name: name, file: "sum.go", hunk: tc.hunk, pkg: ".", test: tc.test})
			switch {
			case tc.want == "" && r.err != nil:
				t.Errorf("want a red test, got: %v", r.err)
			case tc.want != "" && (r.err == nil || !strings.Contains(r.err.Error(), tc.want)):
				t.Errorf("want an error with %q, got: %v", tc.want, r.err)
			}
		})
	}
}

// TestExec gives the test binaries to a program that runs them, and to one
// that breaks down just when a test fails: that is no red test.
func TestExec(t *testing.T) {
	for name, tc := range map[string]struct{ script, want string }{
		"runs them":   {`exec "$@"`, ""},
		"breaks down": {`out=$("$@") || exit 2; echo "$out"`, "failed, not the test"},
	} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "exec")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+tc.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			c := checkerOf(t, runner{exec: []string{program}, timeout: 2 * time.Second})
			r := c.check(t.Context(), mutant{
				name: name, file: "sum.go", hunk: []line{{'-', "return a + b"}, {'+', "\treturn a - b"}}, pkg: ".", test: "TestSum",
			})
			if (r.err == nil) != (tc.want == "") || r.err != nil && !strings.Contains(r.err.Error(), tc.want) {
				t.Errorf("want %q, got: %v", tc.want, r.err)
			}
		})
	}
}

// TestSecondTry: the first run shows that the test is green without the
// mutant, the second sees nothing, the third does.
func TestSecondTry(t *testing.T) {
	t.Setenv("RUNS", filepath.Join(t.TempDir(), "runs"))
	c := checkerOf(t, runner{timeout: 2 * time.Second})
	m := mutant{name: "minus", file: "sum.go", hunk: []line{{'-', "return a + b"}, {'+', "\treturn a - b"}}, pkg: ".", test: "TestLate"}
	r := c.check(t.Context(), m)
	if r.err != nil || !r.again {
		t.Fatalf("want it noticed at the second try, got %+v", r)
	}
	var out bytes.Buffer
	failed, err := report(&out, []result{r})
	if err != nil || failed != 0 {
		t.Fatalf("%d failed, %v", failed, err)
	}
	if !strings.HasSuffix(out.String(), "\nminus: red at the second try of TestLate\n1 passed, 0 failed\n") {
		t.Errorf("it is not said:\n%s", &out)
	}
}

// TestThePackageIsBuiltOnceForAllBaselines: the binary stays the same file.
func TestThePackageIsBuiltOnceForAllBaselines(t *testing.T) {
	whole := newIntact(writeProject(t), runner{timeout: 2 * time.Second})
	built := func() os.FileInfo {
		root, err := whole.root(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		binaries, err := filepath.Glob(filepath.Join(root, ".tests", "*"))
		if err != nil || len(binaries) != 1 {
			t.Fatalf("binaries %q, %v", binaries, err)
		}
		info, err := os.Stat(binaries[0])
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	for _, test := range []string{"TestSum", "TestSum/of_two"} {
		if got, out, err := whole.run(t.Context(), ".", test); got != green || err != nil {
			t.Fatalf("%s: %d, %v\n%s", test, got, err, out)
		}
	}
	first := built()
	if got, out, err := whole.run(t.Context(), ".", "TestRed"); got != red || err != nil {
		t.Fatalf("%d, %v\n%s", got, err, out)
	}
	if again := built(); !os.SameFile(first, again) || !first.ModTime().Equal(again.ModTime()) {
		t.Error("it was built again")
	}
	root, err := whole.root(t.Context())
	if err := errors.Join(err, whole.remove()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is left: %v", err)
	}
}

func TestChoose(t *testing.T) {
	var all []mutant
	for i := range 30 {
		all = append(all, mutant{name: fmt.Sprint(i)})
	}
	names := func(chosen []mutant) (names []string) {
		for _, m := range chosen {
			names = append(names, m.name)
		}
		return names
	}
	seen := map[string]int{}
	for seed := range uint64(200) {
		chosen := names(choose(all, 7, seed))
		if diff := cmp.Diff(chosen, names(choose(all, 7, seed))); diff != "" {
			t.Fatalf("seed %d chooses twice differently:\n%s", seed, diff)
		}
		once := map[string]bool{}
		for _, name := range chosen {
			seen[name]++
			once[name] = true
		}
		if len(once) != 7 {
			t.Fatalf("seed %d chooses %q", seed, chosen)
		}
	}
	for _, m := range all {
		if n := seen[m.name]; n < 20 || n > 80 { // 47 of 200 are expected
			t.Errorf("%s is chosen by %d of 200 seeds", m.name, n)
		}
	}
}

func TestSomeOfTheMutantsAreTried(t *testing.T) {
	table := filepath.Join(t.TempDir(), "table.txt")
	var mutants strings.Builder
	for i := range 3 {
		fmt.Fprintf(&mutants, "name: minus-%d\nfile: sum.go\n-return a + b\n+return a - b\ntest: . TestSum\n\n", i)
	}
	if err := os.WriteFile(table, []byte(mutants.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	failed, err := try(t.Context(), []string{"-tree", writeProject(t), "-some", "2", table}, &out)
	if err != nil || failed != 0 || !strings.HasSuffix(out.String(), "\n2 passed, 0 failed\n") || !strings.HasPrefix(out.String(), "2 of 3 mutants, -seed ") {
		t.Errorf("%d, %v\n%s", failed, err, &out)
	}
}

func TestCommandCounts(t *testing.T) {
	tree := writeProject(t)
	table := filepath.Join(t.TempDir(), "table.txt")
	const mutants = "name: minus\nfile: sum.go\n-return a + b\n+return a - b\ntest: . TestSum\n\n" +
		"name: spare\nfile: sum.go\n-var Spare = 1\n+var Spare = 2\ntest: . TestSum\n"
	if err := os.WriteFile(table, []byte(mutants), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	failed, err := try(t.Context(), []string{"-tree", tree, table}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if failed != 1 || !strings.HasSuffix(out.String(), "\nspare: survives: the test does not see it\n1 passed, 1 failed\n") {
		t.Errorf("want one of two to fail, got %d:\n%s", failed, &out)
	}
	if source, err := os.ReadFile(filepath.Join(tree, "sum.go")); err != nil || string(source) != project["sum.go"] {
		t.Errorf("the work tree itself was changed (%v):\n%s", err, source)
	}
}

// TestAnInterruptedRunReportsWhatItTried: the second mutant's test never ends.
func TestAnInterruptedRunReportsWhatItTried(t *testing.T) {
	dir := t.TempDir()
	program, begun, table := filepath.Join(dir, "exec"), filepath.Join(dir, "begun"), filepath.Join(dir, "table.txt")
	script := fmt.Sprintf("#!/bin/sh\necho >>%[1]s/runs\n[ $(wc -l <%[1]s/runs) -lt 3 ] || { echo >%[2]s; exec sleep 60; }\nexec \"$@\"\n", dir, begun)
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	const mutants = "name: minus\nfile: sum.go\n-return a + b\n+return a - b\ntest: . TestSum\n\n" +
		"name: spare\nfile: sum.go\n-var Spare = 1\n+var Spare = 2\ntest: . TestSum\n"
	if err := os.WriteFile(table, []byte(mutants), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(begun); err == nil {
				cancel()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	var out bytes.Buffer
	_, err := try(ctx, []string{"-tree", writeProject(t), "-parallel", "1", "-exec", program, table}, &out)
	if err == nil || !strings.Contains(err.Error(), "1 of 2 were tried") || !strings.HasSuffix(out.String(), "1 passed, 0 failed\n") {
		t.Errorf("%v\n%s", err, &out)
	}
}

func TestCommandStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	table := filepath.Join(t.TempDir(), "table.txt")
	if err := os.WriteFile(table, []byte("name: a\nfile: sum.go\n-x\n+y\ntest: . TestSum\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := try(ctx, []string{"-tree", writeProject(t), table}, &bytes.Buffer{}); err == nil {
		t.Error("a run that was interrupted reports success")
	}
}
