package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTest(t *testing.T) {
	const (
		passes = "func TestPasses(t *testing.T) { t.Log(\"quiet\") }\n"
		skips  = "func TestSkips(t *testing.T) {\n\tt.Run(\"sub\", func(t *testing.T) { t.Skip(\"needs root\") })\n\tt.Skip(\"needs root\")\n}\n"
		fails  = "func TestFails(t *testing.T) { t.Error(\"broken\") }\n"
	)
	for name, tc := range map[string]struct {
		tests    string
		complete bool
		ok       bool
		says     []string
		not      string
	}{
		"all pass":                {passes, true, true, []string{"1 passed, 0 failed, 0 skipped\n"}, "quiet"},
		"one is left out":         {passes + skips, false, true, []string{"left out (needs root: probe.TestSkips/sub, probe.TestSkips)\n1 passed, 0 failed, 2 skipped\n"}, "quiet"},
		"all must run":            {passes + skips, true, false, []string{"left out (needs root"}, "quiet"},
		"one fails":               {passes + fails, false, false, []string{"broken", "1 passed, 1 failed, 0 skipped\n"}, "quiet"},
		"it does not compile":     {"var _ = missing\n", false, false, []string{"undefined: missing", "0 passed, 0 failed"}, "quiet"},
		"it panics in a function": {"func TestPanics(t *testing.T) { panic(\"no way\") }\n", false, false, []string{"no way", "0 passed, 1 failed"}, "quiet"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), "module example.test/probe\n\ngo 1.26\n")
			write(t, filepath.Join(dir, "probe_test.go"), "package probe\n\nimport \"testing\"\n\nvar _ testing.T\n\n"+tc.tests)
			t.Chdir(dir)
			var out bytes.Buffer
			ok, err := test(t.Context(), []string{"./..."}, tc.complete, &out)
			if err != nil {
				t.Fatal(err)
			}
			if ok != tc.ok {
				t.Errorf("want ok %t, got %t", tc.ok, ok)
			}
			for _, want := range tc.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, &out)
				}
			}
			if strings.Contains(out.String(), tc.not) {
				t.Errorf("%q in\n%s", tc.not, &out)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
