package main

import (
	"errors"
	"fmt"
	"strings"
)

var (
	errNoMatch   = errors.New("the old lines are nowhere in the file")
	errManyMatch = errors.New("the old lines are in the file more than once")
)

// apply returns source with the hunk's old lines (kept and taken away)
// replaced by its new ones (kept and added). The old lines must occur exactly
// once; indentation is not compared, so that a hunk reads well in its table
// and survives code that moves.
func apply(source string, hunk []line) (string, error) {
	lines := strings.Split(source, "\n")
	old := oldLines(hunk)
	at := -1
	for i := 0; i+len(old) <= len(lines); i++ {
		if !sameText(lines[i:i+len(old)], old) {
			continue
		}
		if at >= 0 {
			return "", fmt.Errorf("%w: lines %d and %d", errManyMatch, at+1, i+1)
		}
		at = i
	}
	if at < 0 {
		return "", errNoMatch
	}

	out := append([]string(nil), lines[:at]...)
	next := at
	for _, l := range hunk {
		switch l.op {
		case ' ':
			out = append(out, lines[next])
			next++
		case '-':
			next++
		case '+':
			out = append(out, l.text)
		}
	}
	return strings.Join(append(out, lines[next:]...), "\n"), nil
}

func oldLines(hunk []line) []string {
	var old []string
	for _, l := range hunk {
		if l.op != '+' {
			old = append(old, l.text)
		}
	}
	return old
}

func sameText(a, b []string) bool {
	for i := range a {
		if strings.TrimSpace(a[i]) != strings.TrimSpace(b[i]) {
			return false
		}
	}
	return true
}
