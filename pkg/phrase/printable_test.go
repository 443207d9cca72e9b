package phrase_test

import (
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

func TestPrintable(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":                       {"nginx", "nginx"},
		"spaces and brackets":         {"a) R (b c", "a) R (b c"},
		"other scripts":               {"données-ящик-数据-ไทย-कि", "données-ящик-数据-ไทย-कि"},
		"terminal escapes":            {"\x1b[2Jx\n", "?[2Jx?"},
		"delete and C1":               {"a\x7fb\u009bc", "a?b?c"},
		"not UTF-8":                   {"a\xff\xfeb", "a??b"},
		"cut in a character":          {"abcdefghijklmn\xe6", "abcdefghijklmn?"},
		"what stands for not UTF-8":   {"a\ufffdb", "a?b"},
		"turned to the left":          {"a\u202etxt.exe", "a?txt.exe"},
		"embedded and popped":         {"\u202a\u202b\u202c\u202d", "????"},
		"isolated":                    {"\u2066a\u2067b\u2068c\u2069", "?a?b?c?"},
		"marks of direction":          {"\u200e\u200f\u061c", "???"},
		"no width":                    {"ku\u200bbe\u200clet\u200d", "ku?be?let?"},
		"byte order mark":             {"\ufeffsshd", "?sshd"},
		"word joiner":                 {"ss\u2060hd", "ss?hd"},
		"soft hyphen":                 {"ss\u00adhd", "ss?hd"},
		"combining grapheme joiner":   {"ss\u034fhd", "ss?hd"},
		"variation selectors":         {"a\ufe0fb\U000e0101", "a?b?"},
		"tags":                        {"a\U000e0041", "a?"},
		"letters that fill":           {"\u115f\u1160\u3164\uffa0", "????"},
		"vowels that are not seen":    {"\u17b4\u17b5\u180b", "???"},
		"spaces that are not a space": {"a\u00a0b\u3000c\u2028d", "a?b?c?d"},
		"blank braille":               {"\u2800", "?"},
		"private use":                 {"\ue000", "?"},
		"nothing":                     {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := phrase.Printable(c.in); got != c.want {
				t.Errorf("%+q, want %+q", got, c.want)
			}
		})
	}
}

func TestTextKeepsItsLines(t *testing.T) {
	if got := phrase.Text("→ a · b — ×\n\x1b[1mc\u202e\n"); got != "→ a · b — ×\n?[1mc?\n" {
		t.Errorf("%+q", got)
	}
}
