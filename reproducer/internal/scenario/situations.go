package scenario

import (
	"fmt"
	"strings"
)

// Situations returns a table in Markdown: what happens in each scenario, where it was reported, and
// what must be said.
func Situations() string {
	var b strings.Builder
	b.WriteString("| scenario | what happens | reports | what is said |\n|---|---|---|---|\n")
	for _, s := range All() {
		said := "nothing"
		if !s.Expected.Control() {
			said = s.Expected.String()
		}
		reports := source(s.Name)
		if reports == "" {
			reports = "–"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, strings.ReplaceAll(s.Story, "\n", " "), reports, said)
	}
	return b.String()
}
