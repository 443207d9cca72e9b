package scenario

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/")

// TestTheDocsListTheSituations: docs/accuracy.md has the table as the scenarios have it.
func TestTheDocsListTheSituations(t *testing.T) {
	const page, begin, end = "../../../docs/accuracy.md", "<!-- the situations, written by a test -->\n", "<!-- the end of the situations -->\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, whole := strings.Cut(rest, end)
	if !ok || !whole {
		t.Fatalf("%s has no place for the table", page)
	}
	want := before + begin + "\n" + Situations() + "\n" + end + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil { //nolint:gosec // a page of the docs
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("go test ./reproducer/internal/scenario -run Situations -update writes it: -want +got\n%s", diff)
	}
	if rows := strings.Count(Situations(), "\n") - 2; rows < 40 {
		t.Errorf("%d situations, want 40", rows)
	}
}
