package main

import (
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// skip is a test that was left out.
type skip struct{ pkg, test, reason string }

// report gathers how the tests ended.
type report struct {
	passed, failed int
	skipped        []skip
	output         map[event]*strings.Builder // by Package and Test
}

func newReport() *report { return &report{output: make(map[event]*strings.Builder)} }

// take takes one event in. What a package or the compiler says is shown at
// once, what a test says only when it fails.
func (r *report) take(e event, out io.Writer) {
	key := event{Package: e.Package, Test: e.Test}
	switch e.Action {
	case "build-output":
		_, _ = io.WriteString(out, e.Output)
	case "output":
		if e.Test == "" {
			if e.Output != "PASS\n" && e.Output != "FAIL\n" && !strings.Contains(e.Output, "[no test files]") {
				_, _ = io.WriteString(out, e.Output)
			}
			return
		}
		if r.output[key] == nil {
			r.output[key] = new(strings.Builder)
		}
		r.output[key].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			r.end(e, r.text(key), out)
			delete(r.output, key)
		}
	}
}

func (r *report) text(key event) string {
	if b := r.output[key]; b != nil {
		return b.String()
	}
	return ""
}

// end takes in how a test ended. Of a subtest only failures and skips count:
// its parent passes or fails with it.
func (r *report) end(e event, text string, out io.Writer) {
	top := !strings.Contains(e.Test, "/")
	switch e.Action {
	case "fail":
		_, _ = io.WriteString(out, text)
		if top {
			r.failed++
		}
	case "skip":
		r.skipped = append(r.skipped, skip{e.Package, e.Test, reason(text)})
	case "pass":
		if top {
			r.passed++
		}
	}
}

// skipLine is how t.Skip's words are printed: `    file_test.go:12: words`.
var skipLine = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (.*)$`)

func reason(text string) string {
	all := skipLine.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return "no reason given"
	}
	return all[len(all)-1][1]
}

// conclude says in one line what was left out, and in the last how many
// tests passed and failed.
func (r *report) conclude(out io.Writer) {
	byReason := make(map[string][]string)
	var reasons []string
	for _, s := range r.skipped {
		if byReason[s.reason] == nil {
			reasons = append(reasons, s.reason)
		}
		byReason[s.reason] = append(byReason[s.reason], path.Base(s.pkg)+"."+s.test)
	}
	slices.Sort(reasons)
	for i, reason := range reasons {
		reasons[i] = reason + ": " + strings.Join(byReason[reason], ", ")
	}
	if len(reasons) > 0 {
		_, _ = fmt.Fprintf(out, "left out (%s)\n", strings.Join(reasons, "; "))
	}
	_, _ = fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, len(r.skipped))
}
