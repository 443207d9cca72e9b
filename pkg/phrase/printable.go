package phrase

import (
	"strings"
	"unicode"
)

// Printable makes a foreign name safe to show anywhere. It replaces with a
// question mark what does not print: control characters, which steer a terminal,
// invalid UTF-8, and invisible characters, which are those that turn the
// direction of writing, those without width, and all spaces but the plain one.
// Two names may look alike afterwards, so nothing is ever compared by what
// Printable returns.
func Printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !shows(r) {
			return '?'
		}
		return r
	}, name)
}

// Text is Printable for lines of text.
func Text(lines string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !shows(r) {
			return '?'
		}
		return r
	}, lines)
}

// shows reports whether a character is visible. unicode.IsPrint leaves out control
// (Cc) and format characters (Cf); some letters and marks are as invisible.
func shows(r rune) bool {
	if r < unicode.MaxASCII {
		return r >= ' ' // most text, at once
	}
	return unicode.IsPrint(r) && r != unicode.ReplacementChar && r != brailleBlank &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

const brailleBlank = '\u2800'
