package main

import (
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
	if got, err := parseSeeds("0"); err != nil || len(got) != 1 || got[0] == 0 {
		t.Errorf("0: got %v, %v", got, err)
	}
	for _, bad := range []string{"", "one", "-1"} {
		if got, err := parseSeeds(bad); err == nil {
			t.Errorf("%q was taken: %v", bad, got)
		}
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
