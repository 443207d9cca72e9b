package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// script plays the reproducer: one scenario for each way in which a run ends.
const script = `#!/bin/sh
case "$1 $2" in
"list -o") echo '[{"name":"good","families":["4","6"]},{"name":"control"}]' ;;
"run good") echo '{"scenario":"good","expected":{"symptom":"Retransmitting","cause":"StaleConntrack"},"found":{"symptom":"Retransmitting","cause":"StaleConntrack","outcome":"TimedOut","error":"ETIMEDOUT"},"detect_seconds":0.43,"ok":true}' ;;
"run control") echo '{"scenario":"control","expected":{},"found":null,"ok":true}' ;;
"run wrong") echo '{"scenario":"wrong","expected":{},"found":{"cause":"Unknown"},"ok":false,"reason":"1 flow was reported","timeline":[{"t":1.5,"what":"cut"}]}'; exit 1 ;;
"run liar") echo '{"scenario":"liar","ok":false}' ;;
"run other") echo '{"scenario":"good","ok":true}' ;;
"run broken") echo 'no root' >&2; exit 2 ;;
"run slow") exec sleep 60 ;;
esac
`

func TestRunAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reproducer")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args   []string
		failed int
		says   []string
	}{
		"all of the list":  {nil, 0, []string{"Retransmitting · StaleConntrack", "StaleConntrack · TimedOut · ETIMEDOUT", "0.43", "nothing", "\n3 passed, 0 failed\n"}},
		"its own families": {[]string{"good"}, 0, []string{" 4 ", " 6 ", "2 passed, 0 failed"}},
		"each family":      {[]string{"-families", "4 6 mapped", "good"}, 0, []string{" mapped ", "3 passed, 0 failed"}},
		"ten times":        {[]string{"-times", "10", "-families", "4", "good"}, 0, []string{"10 passed, 0 failed"}},
		"another verdict":  {[]string{"-families", "4", "good", "wrong"}, 1, []string{"NO", "exit status 1: 1 flow was reported\n       1.500s  cut\n", "1 passed, 1 failed"}},
		"not ok, exit 0":   {[]string{"liar"}, 1, []string{"exit status 0, yet not ok"}},
		"mixed up":         {[]string{"other"}, 1, []string{`the verdict is about "good"`}},
		"no verdict":       {[]string{"broken"}, 1, []string{"no root", "0 passed, 1 failed"}},
		"too slow":         {[]string{"-timeout", "50ms", "slow"}, 1, []string{"no verdict", "0 passed, 1 failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			failed, err := runAll(t.Context(), append([]string{"-reproducer", path}, tc.args...), &out)
			if err != nil {
				t.Fatal(err)
			}
			if failed != tc.failed {
				t.Errorf("want %d failed, got %d", tc.failed, failed)
			}
			for _, want := range tc.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, &out)
				}
			}
		})
	}
}

// TestRunJobs: no more at once than asked for, no fewer, and the results in
// the order of the jobs.
func TestRunJobs(t *testing.T) {
	const jobs, parallel = 12, 3
	dir := t.TempDir()
	running := filepath.Join(dir, "running")
	if err := os.Mkdir(running, 0o755); err != nil {
		t.Fatal(err)
	}
	// Each run leaves a file while it lives, and says how many live. The
	// earlier ones take longer.
	script := `#!/bin/sh
touch ` + running + `/$2
sleep 0.$((40 - $2))
n=$(ls ` + running + ` | wc -l)
rm ` + running + `/$2
echo '{"scenario":"'$2'","ok":true,"detect_seconds":'$n'}'
`
	r := reproducer{path: filepath.Join(dir, "reproducer"), timeout: time.Minute}
	if err := os.WriteFile(r.path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var all []job
	for i := range jobs {
		all = append(all, job{strconv.Itoa(10 + i), "4"})
	}
	var got []job
	most := 0.0
	for done := range r.runJobs(t.Context(), all, parallel) {
		if done.err != nil {
			t.Fatal(done.err)
		}
		got = append(got, done.job)
		most = max(most, *done.outcome.DetectSeconds)
	}
	if !slices.Equal(got, all) {
		t.Errorf("got %v, want %v", got, all)
	}
	if most != parallel {
		t.Errorf("%v at once, want %d", most, parallel)
	}
}

func TestRunAllOfNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reproducer")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '[]'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := runAll(t.Context(), []string{"-reproducer", path}, &bytes.Buffer{}); err == nil {
		t.Error("an empty list passes")
	}
}
