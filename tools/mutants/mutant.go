package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// mutant is one small defect and the test that must notice it.
type mutant struct {
	name     string
	file     string // the file that it changes, relative to the top of the tree
	hunk     []line
	generate string // packages to run go generate on afterwards; empty: none
	pkg      string // the package of the test, as go test takes it
	test     string // that must turn red, as go test names it: TestX or TestX/a_subtest
}

// line is one line of a hunk: kept (' '), taken away ('-') or added ('+').
type line struct {
	op   byte
	text string
}

// parse reads mutants from a file of stanzas. A stanza is `key: value` lines
// (name, file, test, and generate where generated code must follow) and a
// hunk, whose lines begin with a blank, '-' or '+' as in a patch. Blank lines
// part stanzas, '#' begins a comment line. label names the file in errors.
func parse(r io.Reader, label string) ([]mutant, error) {
	var (
		all   []mutant
		m     mutant
		start int
	)
	finish := func() error {
		if start == 0 {
			return nil
		}
		if err := m.complete(); err != nil {
			return fmt.Errorf("%s:%d: %w", label, start, err)
		}
		all, m, start = append(all, m), mutant{}, 0
		return nil
	}
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		text := s.Text()
		if text == "" {
			if err := finish(); err != nil {
				return nil, err
			}
			continue
		}
		if text[0] == '#' {
			continue
		}
		if start == 0 {
			start = n
		}
		if err := m.add(text); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", label, n, err)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", label, err)
	}
	return all, finish()
}

// add takes one line of a stanza in.
func (m *mutant) add(text string) error {
	if op := text[0]; strings.IndexByte(" -+", op) >= 0 {
		m.hunk = append(m.hunk, line{op: op, text: text[1:]})
		return nil
	}
	key, value, found := strings.Cut(text, ":")
	value = strings.TrimSpace(value)
	if !found || value == "" {
		return fmt.Errorf("%q is neither `key: value` nor a line of a hunk", text)
	}
	switch key {
	case "name":
		m.name = value
	case "file":
		m.file = value
	case "generate":
		m.generate = value
	case "test":
		m.pkg, m.test, found = strings.Cut(value, " ")
		if !found {
			return fmt.Errorf("%q is not a package and a test", value)
		}
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

// complete says what a stanza lacks.
func (m *mutant) complete() error {
	changes := false
	for _, l := range m.hunk {
		changes = changes || l.op != ' '
	}
	switch {
	case m.name == "":
		return errors.New("a mutant without a name")
	case m.file == "":
		return fmt.Errorf("%s: no file", m.name)
	case m.test == "":
		return fmt.Errorf("%s: no test", m.name)
	case !changes:
		return fmt.Errorf("%s: the hunk changes nothing", m.name)
	}
	return nil
}
