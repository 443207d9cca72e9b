package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Lines around the table in the document.
const (
	tableBegins = "<!-- the table below comes from tools/kernels -->\n"
	tableEnds   = "<!-- the table above comes from tools/kernels -->\n"
)

// markdown is the table kernel × test × result, and below it what was left
// out and why.
func markdown(outcomes []outcome) string {
	var b strings.Builder
	b.WriteString("| test |")
	for _, o := range outcomes {
		fmt.Fprintf(&b, " %s |", o.kernel.release)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(outcomes)) + "\n")
	notes := &notes{}
	for _, name := range rows(outcomes) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, o := range outcomes {
			fmt.Fprintf(&b, " %s |", cell(o, name, notes))
		}
		b.WriteString("\n")
	}
	if len(notes.all) > 0 {
		b.WriteString("\n")
	}
	for i, note := range notes.all {
		fmt.Fprintf(&b, "%d. %s\n", i+1, note)
	}
	return b.String()
}

// rows are the names of all that ran anywhere, subtests apart, in order.
func rows(outcomes []outcome) []string {
	var names []string
	for _, o := range outcomes {
		for _, r := range o.results {
			if !strings.Contains(r.test, "/") && !slices.Contains(names, r.name()) {
				names = append(names, r.name())
			}
		}
	}
	return names
}

// notes are the numbered lines below the table.
type notes struct{ all []string }

func (n *notes) number(note string) int {
	if i := slices.Index(n.all, note); i >= 0 {
		return i + 1
	}
	n.all = append(n.all, note)
	return len(n.all)
}

// cell is what one kernel has to say of a test, with a note for each part of
// it that was left out.
func cell(o outcome, name string, notes *notes) string {
	text := "–"
	var left []string
	for _, r := range o.results {
		if r.name() == name {
			text = string(r.verdict)
		}
		if r.verdict == skip && (r.name() == name || strings.HasPrefix(r.name(), name+"/")) {
			left = append(left, fmt.Sprintf("%d", notes.number(r.name()+": "+reason(r.said))))
		}
	}
	if len(left) > 0 {
		text += " (" + strings.Join(left, ", ") + ")"
	}
	return text
}

// reason is the words with which a test was left out.
func reason(said string) string {
	if i := strings.Index(said, lacks); i >= 0 {
		line, _, _ := strings.Cut(said[i:], "\n")
		return line
	}
	return strings.TrimSpace(said)
}

// writeTable replaces the table of a document.
func writeTable(path string, outcomes []outcome) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(b), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return fmt.Errorf("%s has no lines %q and %q", path, tableBegins, tableEnds)
	}
	return os.WriteFile(path, []byte(before+tableBegins+"\n"+markdown(outcomes)+"\n"+tableEnds+after), 0o644)
}
