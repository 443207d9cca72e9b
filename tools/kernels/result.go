package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
)

// verdict is how a test ended.
type verdict string

const (
	pass    verdict = "pass"
	fail    verdict = "FAIL"
	skip    verdict = "skip"
	missing verdict = "MISSING"
)

// result is how one test, subtest or program ended.
type result struct {
	job, test string
	verdict   verdict
	seconds   float64
	said      string
}

func (r result) name() string { return strings.TrimSpace(r.job + " " + r.test) }

// lacks begins the reason of a test that probed the kernel for a feature and
// did not find it. There is no other reason to skip in a guest: it has every
// privilege.
const lacks = "this kernel has no "

func (r result) bad() bool {
	return r.verdict == fail || r.verdict == missing || (r.verdict == skip && !strings.Contains(r.said, lacks))
}

// judge turns what became of a job into results: for a test binary one for
// each test that has to report, and for each subtest that did not pass.
func judge(ctx context.Context, j job, all map[string]said) []result {
	s, ran := all[j.name]
	if j.tests == nil {
		return []result{judgeProgram(j, s, ran)}
	}
	results, err := readTests(ctx, j.name, s.text)
	if err != nil {
		results = append(results, result{job: j.name, verdict: fail, said: err.Error()})
	}
	if failed := anyFailed(results); ran && s.status != 0 && !failed {
		results = append(results, result{job: j.name, verdict: fail, said: fmt.Sprintf("exit status %d\n%s", s.status, tail([]byte(s.text)))})
	}
	reported := make(map[string]bool)
	for _, r := range results {
		reported[r.test] = true
	}
	for _, test := range j.tests {
		if !reported[test] {
			results = append(results, result{job: j.name, test: test, verdict: missing})
		}
	}
	return results
}

func anyFailed(results []result) bool {
	for _, r := range results {
		if r.verdict == fail {
			return true
		}
	}
	return false
}

func judgeProgram(j job, s said, ran bool) result {
	r := result{job: j.name, verdict: pass, said: s.text}
	line := strings.TrimSpace(s.text)
	switch {
	case !ran:
		r.verdict = missing
	case s.status != j.status:
		r.verdict, r.said = fail, fmt.Sprintf("exit status %d, want %d\n%s", s.status, j.status, s.text)
	case j.says != "" && !regexp.MustCompile(j.says).MatchString(line):
		r.verdict, r.said = fail, fmt.Sprintf("it says\n%s\nwant\n%s", s.text, j.says)
	}
	return r
}

// event is one line of `go tool test2json`.
type event struct {
	Action  string
	Test    string
	Elapsed float64
	Output  string
}

// readTests reads what a test binary printed with -test.v=test2json.
func readTests(ctx context.Context, name, text string) ([]result, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("read the test's output: %w", err)
	}
	printed := make(map[string]string)
	var results []result
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var e event
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return results, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the test's events: %w", err)
		}
		if e.Test == "" {
			continue
		}
		subtest := strings.Contains(e.Test, "/")
		r := result{job: name, test: e.Test, seconds: e.Elapsed, said: printed[e.Test]}
		switch e.Action {
		case "output":
			printed[e.Test] += e.Output
			continue
		case "pass":
			r.verdict = pass
		case "fail":
			r.verdict = fail
		case "skip":
			r.verdict = skip
		default:
			continue
		}
		if !subtest || r.verdict != pass {
			results = append(results, r)
		}
	}
}
