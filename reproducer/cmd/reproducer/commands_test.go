package main

import (
	"bytes"
	"encoding/json"
	"flag"
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
		flags.SetOutput(&bytes.Buffer{})
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
