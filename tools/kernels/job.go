package main

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// job is one program that runs in a guest.
type job struct {
	name  string
	args  []string // the program, below /bin of the guest, and its arguments
	tests []string // of a test binary: each must report; nil: it is none
	// Of any other program: the exit status that it must have, and what it
	// must print as its only line; empty: anything.
	status int
	says   string
}

// said is what became of a job.
type said struct {
	text   string
	status int
}

// Lines that part the jobs' output.
const (
	began = "@@ begin "
	ended = "@@ end " // a status follows
	done  = "@@ done"
)

// script is the shell script that runs the jobs one after the other.
func script(jobs []job) string {
	var b strings.Builder
	for _, j := range jobs {
		var quoted []string
		for _, arg := range j.args {
			quoted = append(quoted, "'"+strings.ReplaceAll(arg, "'", `'\''`)+"'")
		}
		fmt.Fprintf(&b, "printf '%s%%s\\n' '%s'\n%s\nprintf '\\n%s%%d\\n' $?\n", began, j.name, strings.Join(quoted, " "), ended)
	}
	fmt.Fprintf(&b, "printf '%s\\n'\n", done)
	return b.String()
}

// split parts what a guest printed by job. It reports false where the guest
// did not come to its end.
func split(output string) (map[string]said, bool) {
	all := make(map[string]said)
	var name string
	var text strings.Builder
	s := bufio.NewScanner(strings.NewReader(output))
	s.Buffer(nil, len(output)+1)
	for s.Scan() {
		line := s.Text()
		if rest, ok := strings.CutPrefix(line, began); ok {
			name = rest
			text.Reset()
			continue
		}
		if rest, ok := strings.CutPrefix(line, ended); ok && name != "" {
			status, err := strconv.Atoi(rest)
			if err != nil {
				status = -1
			}
			all[name] = said{text: strings.TrimSuffix(text.String(), "\n"), status: status}
			name = ""
			continue
		}
		if line == done {
			return all, true
		}
		text.WriteString(line + "\n")
	}
	return all, false
}
