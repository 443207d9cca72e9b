package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/golden"
)

func TestList(t *testing.T) {
	for format, path := range map[string]string{"table": "testdata/list.golden", "json": "testdata/list.json.golden"} {
		var out bytes.Buffer
		if err := list([]string{"-o", format}, &out); err != nil {
			t.Fatal(err)
		}
		if format == "json" {
			b := out.Bytes()
			out = bytes.Buffer{}
			if err := json.Indent(&out, b, "", "  "); err != nil {
				t.Fatal(err)
			}
		}
		golden.Check(t, path, out.Bytes())
	}
	if err := list([]string{"-o", "yaml"}, &bytes.Buffer{}); err == nil {
		t.Error("an unknown format was taken")
	}
}

func TestParseWithName(t *testing.T) {
	for line, want := range map[string]struct {
		name   string
		asJSON bool
		family string
	}{
		"calico":                   {"calico", false, "4"},
		"calico --json --family 6": {"calico", true, "6"},
		"--family 6 calico --json": {"calico", true, "6"},
		"--json":                   {},
		"calico lossy":             {},
		"calico --jason":           {},
	} {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		asJSON := flags.Bool("json", false, "")
		family := flags.String("family", "4", "")
		name, err := parseWithName(flags, strings.Fields(line))
		if want.name == "" {
			if err == nil {
				t.Errorf("%q was taken", line)
			}
			continue
		}
		if err != nil || name != want.name || *asJSON != want.asJSON || *family != want.family {
			t.Errorf("%q: got %q %v %q, %v", line, name, *asJSON, *family, err)
		}
	}
}

// TestBadFlagIsSaidOnce: the caller says what is wrong, the flags' package
// nothing.
func TestBadFlagIsSaidOnce(t *testing.T) {
	said, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	usual := os.Stderr
	defer func() { os.Stderr = usual }()
	os.Stderr = said
	for _, line := range []string{"accuracy -flows abc", "accuracy -flos 1", "list -o", "run -family", "demo -family 4"} {
		err := dispatch(t.Context(), strings.Fields(line), io.Discard, io.Discard)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v", line, err)
		}
	}
	if b, err := os.ReadFile(said.Name()); err != nil || len(b) > 0 {
		t.Errorf("said besides: %s, %v", b, err)
	}
}
