package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const stanza = `# why it matters
name: off-by-one
file: pkg/count/count.go
 for i := range n {
-	sum += i
+	sum += i + 1
 }
generate: ./pkg/count
test: ./pkg/count TestSum/of three
`

func TestParse(t *testing.T) {
	got, err := parse(strings.NewReader(stanza+"\n# a comment alone\n\n"+strings.Replace(stanza, "off-by-one", "other", 1)), "table")
	if err != nil {
		t.Fatal(err)
	}
	want := mutant{
		name: "off-by-one", file: "pkg/count/count.go", generate: "./pkg/count", pkg: "./pkg/count", test: "TestSum/of three",
		hunk: []line{{' ', "for i := range n {"}, {'-', "\tsum += i"}, {'+', "\tsum += i + 1"}, {' ', "}"}},
	}
	other := want
	other.name = "other"
	if diff := cmp.Diff([]mutant{want, other}, got, cmp.AllowUnexported(mutant{}, line{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ from, to, want string }{
		"no name":         {"name: off-by-one\n", "", "table:2: a mutant without a name"},
		"no file":         {"file: pkg/count/count.go\n", "", "table:2: off-by-one: no file"},
		"no test":         {"test: ./pkg/count TestSum/of three\n", "", "no test"},
		"a test alone":    {"test: ./pkg/count TestSum/of three", "test: TestSum", "table:9: \"TestSum\" is not a package and a test"},
		"nothing changes": {"-	sum += i\n+	sum += i + 1\n", "", "the hunk changes nothing"},
		"unknown key":     {"generate:", "genrate:", `table:8: unknown key "genrate"`},
		"no key":          {"name: off-by-one", "off-by-one", "table:2: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(strings.NewReader(strings.Replace(stanza, tc.from, tc.to, 1)), "table")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want an error with %q, got %v", tc.want, err)
			}
		})
	}
}

func TestApply(t *testing.T) {
	const source = "if a {\n\tx()\n}\nif b {\n\tx()\n}\n"
	for name, tc := range map[string]struct {
		hunk []line
		want string
		err  error
	}{
		"context finds the one": {hunk: []line{{' ', "if b {"}, {'-', "x()"}, {'+', "\ty()"}}, want: "if a {\n\tx()\n}\nif b {\n\ty()\n}\n"},
		"first line":            {hunk: []line{{'-', "if a {"}, {'+', "if !a {"}}, want: "if !a {\n\tx()\n}\nif b {\n\tx()\n}\n"},
		"only takes away":       {hunk: []line{{' ', "if a {"}, {'-', "x()"}}, want: "if a {\n}\nif b {\n\tx()\n}\n"},
		"twice":                 {hunk: []line{{'-', "x()"}, {'+', "y()"}}, err: errManyMatch},
		"nowhere":               {hunk: []line{{'-', "z()"}, {'+', "y()"}}, err: errNoMatch},
		"in another order":      {hunk: []line{{' ', "x()"}, {'-', "if a {"}}, err: errNoMatch},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := apply(source, tc.hunk)
			if !errors.Is(err, tc.err) {
				t.Fatalf("want error %v, got %v", tc.err, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
