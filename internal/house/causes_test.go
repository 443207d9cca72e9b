package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// places are what a cause needs beside its name in pkg/flow. docs/extending.md lists them.
type places struct {
	known   map[flow.Cause]diagnosis.Cause // the causes of the table of rules
	files   []string                       // of pkg/diagnosis
	page    string                         // docs/causes.md
	readme  string
	cases   string // the source of the scenarios and of the kinds of accuracy
	mutants string
}

// lacks says what a cause has not got.
func (p places) lacks(c flow.Cause) []string {
	var missing []string
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, what)
		}
	}
	known, ok := p.known[c]
	need(ok, "a row in the table of pkg/diagnosis/table.go")
	need(known.Meaning != "", "a meaning: half a sentence")
	file := strings.ToLower(string(c)) + ".go"
	need(slices.Contains(p.files, file), "a file of its own, pkg/diagnosis/"+file)
	_, section, ok := strings.Cut(p.page, "\n## "+string(c)+"\n")
	need(ok, "a section in docs/causes.md")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, part := range []string{"**You see**", "**What happened.**", "**Now.**"} {
		need(strings.Contains(section, part), part+" in its section of docs/causes.md")
	}
	if c != flow.Unknown { // README.md says it below the table; no story leads to it alone
		need(regexp.MustCompile("(?m)^\\| .*`"+string(c)+"`.* \\|").MatchString(p.readme), "a row in README.md")
		need(regexp.MustCompile(`\bflow\.`+string(c)+`\b`).MatchString(p.cases), "a scenario, or a kind of make accuracy, that expects it")
	}
	need(strings.Contains(p.mutants, "\nfile: pkg/diagnosis/"+file+"\n"), "a mutant in mutants/causes.txt of its file")
	return missing
}

// here returns the places of this repository.
func here(t *testing.T) places {
	t.Helper()
	p := places{
		known: map[flow.Cause]diagnosis.Cause{}, page: text(t, "docs/causes.md"), readme: text(t, "README.md"), mutants: text(t, "mutants/*.txt"),
		cases: text(t, "reproducer/internal/scenario/*.go", "reproducer/internal/accuracy/kinds*.go"),
	}
	for _, c := range diagnosis.Causes() {
		p.known[c.Name] = c
	}
	files, err := os.ReadDir("../../pkg/diagnosis")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		p.files = append(p.files, f.Name())
	}
	return p
}

// text returns the files that match, without tests.
func text(t *testing.T, patterns ...string) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no file %s, %v", pattern, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
			all.WriteByte('\n')
		}
	}
	return all.String()
}

func TestEveryCauseHasItsPlaces(t *testing.T) {
	p := here(t)
	meanings := map[string]flow.Cause{}
	for _, c := range flow.Causes() {
		for _, what := range p.lacks(c) {
			t.Errorf("the cause %s lacks %s", c, what)
		}
		m := p.known[c].Meaning
		if other, twice := meanings[m]; twice {
			t.Errorf("%s and %s mean the same: %s", c, other, m)
		}
		meanings[m] = c
	}
	if len(p.known) != len(flow.Causes()) {
		t.Errorf("the table of rules has %d causes, flow.Causes %d", len(p.known), len(flow.Causes()))
	}
}

// TestWhatIsForgottenOfACauseIsNamed: each place by itself, of a cause that has all others.
func TestWhatIsForgottenOfACauseIsNamed(t *testing.T) {
	const c flow.Cause = "Novel"
	whole := func() places {
		return places{
			known: map[flow.Cause]diagnosis.Cause{c: {Name: c, Meaning: "it is new"}}, files: []string{"novel.go"},
			page:   "# Causes\n\n## Novel\n\n**You see** a.\n\n**What happened.** b.\n\n**Now.** c.\n\n## Other\n",
			readme: "| `Novel` | it is new |", cases: "Cause: flow.Novel,", mutants: "name: a\nfile: pkg/diagnosis/novel.go\n",
		}
	}
	if missing := whole().lacks(c); missing != nil {
		t.Errorf("a whole cause lacks %q", missing)
	}
	for want, forget := range map[string]func(*places){
		"a row in the table": func(p *places) { p.known = nil },
		"a meaning":          func(p *places) { p.known[c] = diagnosis.Cause{Name: c} },
		"a file of its own":  func(p *places) { p.files = nil },
		"a section":          func(p *places) { p.page = strings.ReplaceAll(p.page, "## Novel", "Novel") },
		"**Now.**":           func(p *places) { p.page = strings.ReplaceAll(p.page, "**Now.**", "") },
		"a row in README.md": func(p *places) { p.readme = "Novel" },
		"a scenario":         func(p *places) { p.cases = "flow.Novelty" },
		"a mutant":           func(p *places) { p.mutants = "file: pkg/diagnosis/other.go\n" },
		"**You see**":        func(p *places) { p.page = strings.ReplaceAll(p.page, "**You see**", "") },
		"**What happened.**": func(p *places) { p.page = strings.ReplaceAll(p.page, "**What happened.**", "") },
	} {
		p := whole()
		forget(&p)
		if missing := p.lacks(c); !slices.ContainsFunc(missing, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%s is forgotten, and named is %q", want, missing)
		}
	}
}
