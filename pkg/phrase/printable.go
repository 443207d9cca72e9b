package phrase

import (
	"strings"
	"unicode"
)

// Printable returns a name that somebody else chose as one that can be shown
// anywhere: what does not print becomes a question mark. That is control
// characters, which steer a terminal, what is no UTF-8, and the characters that
// are not seen: those that turn the direction of writing, those of no width,
// and spaces that are not a space. Two names may look alike afterwards, so
// nothing is ever compared by what Printable returns.
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

// shows reports whether a character is seen where it stands. unicode.IsPrint
// leaves out control (Cc) and format characters (Cf); some letters and marks are
// as invisible.
func shows(r rune) bool {
	return unicode.IsPrint(r) && r != unicode.ReplacementChar && r != brailleBlank &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

const brailleBlank = '\u2800'
