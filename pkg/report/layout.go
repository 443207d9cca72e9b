package report

import (
	"strings"
	"unicode/utf8"
)

// pack joins parts into lines of at most width characters, without ever
// breaking a part. Every line but the first is indented.
func pack(parts []string, sep string, width, indent int) string {
	var b strings.Builder
	room := width - indent
	used := 0
	for i, part := range parts {
		length := utf8.RuneCountInString(part)
		switch {
		case i == 0:
		case used+utf8.RuneCountInString(sep)+length > room:
			b.WriteString(strings.TrimRight(sep, " "))
			b.WriteString("\n" + strings.Repeat(" ", indent))
			used = 0
		default:
			b.WriteString(sep)
			used += utf8.RuneCountInString(sep)
		}
		b.WriteString(part)
		used += length
	}
	return b.String()
}

// wrap breaks text between words.
func wrap(text string, width, indent int) string {
	return pack(strings.Fields(text), " ", width, indent)
}
