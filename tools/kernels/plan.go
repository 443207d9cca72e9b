package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// suite is a package whose tests ask the kernel, and which of them do not run
// in a guest. A new test runs unless it is named here.
type suite struct {
	name    string
	pkg     string
	leftOut string // a regular expression
	why     string
}

func suites() []suite {
	return []suite{
		{
			"tracer", "./pkg/tracer",
			`^Test(Decode|TheObject)|^Test(SettingsOfTheSocket|FeaturesAreProbed|ARefusalIsOneClearSentence|Since|BytesAtRisk|MappedAddress|ShortRecords|EachRecordAcrossReads|Held|OnlyWhatWasClosedMayHaveDiedOfLateData|WhatStandsStillIsHeldOrNew|HelperLosesInNamespaces|ProcessesInATimeNamespace)$`,
			"they ask no kernel, or another test runs them; the guest's unshare(1) makes no time namespace",
		},
		{"conntrack", "./pkg/conntrack", `^TestDeleteCommand$`, "the guest has no conntrack(8)"},
		{"route", "./pkg/route", "", ""},
		{"owner", "./pkg/owner", `^Test(ParseCgroup|Hidepid)$`, "it asks no kernel; the guest has no unshare(1)"},
		{"agent", "./cmd/agent", `^Test(DefaultsAreTheContracts|FlagsAndEnvironment|BadInputIsOneClearLine|Limit.*)$`, "they ask no kernel"},
	}
}

// scenarios are one of each way in which a kernel shows that a flow is stuck:
// by a retransmission, by its persist timer with an answer and without, and by
// its end. The others differ in what surrounds the socket.
func scenarios() []string {
	return []string{"calico", "zero-window", "local-blackhole", "truncated-unread"}
}

// belowFloor are the kernels that the agent must refuse in one sentence.
func belowFloor() []string { return []string{"5.10"} }

const refusal = `^tcpstuck-agent: this kernel cannot run tcpstuck: .*; Linux 5\.12 is the oldest that has all it needs$`

// plan is what runs in every guest.
type plan struct {
	programs map[string]string // by their names in the guest
	jobs     []job
}

// refuse is the plan for a kernel below the floor.
func refuse() plan {
	return plan{
		programs: map[string]string{"tcpstuck-agent": "bin/tcpstuck-agent"},
		jobs: []job{{
			name: "agent says in one sentence that it cannot run, and ends with exit status 2",
			args: []string{"tcpstuck-agent", "--cluster=none", "--socket=/tmp/agent.sock"}, status: 2, says: refusal,
		}},
	}
}

// build compiles the tests into dir and returns the plan of them and the
// scenarios.
func build(ctx context.Context, dir string) (plan, error) {
	p := plan{programs: make(map[string]string)}
	for _, s := range suites() {
		binary := filepath.Join(dir, s.name+".test")
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, s.pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return plan{}, fmt.Errorf("build the tests of %s: %w\n%s", s.pkg, err, out)
		}
		tests, err := list(ctx, binary, s)
		if err != nil {
			return plan{}, err
		}
		p.programs[filepath.Base(binary)] = binary
		// One test at a time: an emulated processor has no time to spare.
		p.jobs = append(p.jobs, job{name: s.name, tests: tests, args: []string{
			filepath.Base(binary), "-test.v=test2json", "-test.timeout=14m", "-test.parallel=1", "-test.run=^(" + strings.Join(tests, "|") + ")$",
		}})
	}
	for _, name := range []string{"tcpstuck-agent", "tcpstuck", "reproducer", "echo"} {
		p.programs[name] = filepath.Join("bin", name)
	}
	for _, s := range scenarios() {
		p.jobs = append(p.jobs, job{name: "scenario " + s, args: []string{"reproducer", "run", s, "--bin", "/bin"}})
	}
	return p, nil
}

// list returns the tests of a binary that are to run.
func list(ctx context.Context, binary string, s suite) ([]string, error) {
	out, err := exec.CommandContext(ctx, binary, "-test.list=^Test").Output()
	if err != nil {
		return nil, fmt.Errorf("list the tests of %s: %w", s.pkg, err)
	}
	leftOut := regexp.MustCompile(s.leftOut)
	tests := slices.DeleteFunc(strings.Fields(string(out)), func(test string) bool { return s.leftOut != "" && leftOut.MatchString(test) })
	if len(tests) == 0 {
		return nil, fmt.Errorf("%s has no tests to run", s.pkg)
	}
	return tests, nil
}

// runPlan runs everything on every kernel, some at once.
func runPlan(ctx context.Context, o options, names []string, parallel int, out io.Writer) ([]outcome, error) {
	dir, err := os.MkdirTemp("", "tcpstuck-kernels-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	full, err := build(ctx, dir)
	if err != nil {
		return nil, err
	}
	var kernels []kernel
	for _, name := range names {
		k, err := fetch(ctx, o.cache, name)
		if err != nil {
			return nil, err
		}
		kernels = append(kernels, k)
	}
	outcomes := make([]outcome, len(kernels))
	slots := make(chan struct{}, max(1, parallel))
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i, k := range kernels {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			p := full
			if slices.Contains(belowFloor(), k.name) {
				p = refuse()
			}
			outcomes[i] = play(ctx, o, k, p)
			mu.Lock()
			defer mu.Unlock()
			_, _ = io.WriteString(out, outcomes[i].story())
		})
	}
	wg.Wait()
	return outcomes, ctx.Err()
}
