package jsonscan

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"unicode/utf8"
)

// plain are the bytes that neither end a string nor need a second look.
var plain = func() (is [256]bool) {
	for c := range is {
		is[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return is
}()

// unplain returns the place of the first byte that is not plain, or the length. It
// looks at eight bytes at once, since most of a long answer is sentences. A byte that is
// not plain sets the highest bit of its place in one of three terms; a borrow may set
// that of a place behind it, too, so only the first one counts.
func unplain(b []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(b); n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, backslash := w^('"'*ones), w^('\\'*ones)
		found := ((w-' '*ones)&^w | (quote-ones)&^quote | (backslash-ones)&^backslash) & high
		if found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for n < len(b) && plain[b[n]] {
		n++
	}
	return n
}

// Null reads null, if that is what follows.
func (t *Text) Null() bool {
	if t.peek() != 'n' {
		return false
	}
	t.word("null")
	return t.err == nil
}

// Bool reads true or false.
func (t *Text) Bool() bool {
	if t.peek() == 't' {
		t.word("true")
		return t.err == nil
	}
	t.word("false")
	return false
}

// String reads a string.
func (t *Text) String() string {
	b := t.Bytes()
	if t.names == nil || len(b) > mostShared {
		return string(b)
	}
	s, ok := t.names[string(b)]
	if !ok {
		s = string(b)
		t.names[s] = s
	}
	return s
}

// mostShared is the length of the longest strings that share memory. Longer ones
// are sentences, which hardly repeat.
const mostShared = 64

// Bytes reads a string. It is valid until the text changes.
func (t *Text) Bytes() []byte {
	quoted, escaped := t.quoted()
	if t.err != nil {
		return nil
	}
	if b := quoted[1 : len(quoted)-1]; !escaped && utf8.Valid(b) {
		return b
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		t.Fail(err)
	}
	return []byte(s)
}

// quoted reads a string with its quotes, and says whether there is an escape in it.
func (t *Text) quoted() (b []byte, escaped bool) {
	if t.peek() != '"' {
		t.unexpected("a string")
		return nil, false
	}
	for at := t.at + 1; at < len(t.bytes); at++ {
		if at += unplain(t.bytes[at:]); at == len(t.bytes) {
			break
		}
		switch t.bytes[at] {
		case '"':
			b = t.bytes[t.at : at+1]
			t.at = at + 1
			return b, escaped
		case '\\':
			at, escaped = t.escape(at), true
		default:
			t.at = at
			t.unexpected("a character of a string")
		}
		if t.err != nil {
			return nil, false
		}
	}
	t.Fail(ErrShort)
	return nil, false
}

// escape checks the escape that begins at a place, and returns the place of its
// last byte.
func (t *Text) escape(at int) int {
	if at++; at >= len(t.bytes) {
		t.Fail(ErrShort)
		return at
	}
	switch t.bytes[at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return at
	case 'u':
		for range 4 {
			if at++; at >= len(t.bytes) {
				t.Fail(ErrShort)
				return at
			}
			if !hexadecimal(t.bytes[at]) {
				t.at = at
				t.unexpected("a hexadecimal digit")
			}
		}
		return at
	}
	t.at = at
	t.unexpected("an escape")
	return at
}

func hexadecimal(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// word reads true, false or null.
func (t *Text) word(want string) {
	if t.peek(); t.err != nil {
		return
	}
	for i := range len(want) {
		switch {
		case t.at == len(t.bytes):
			t.err = ErrShort
			return
		case t.bytes[t.at] != want[i]:
			t.unexpected(want)
			return
		}
		t.at++
	}
}

// Number reads a number. It is valid until the text changes. A number at the end of
// the text may lack digits: the error is then ErrShort.
func (t *Text) Number() []byte {
	if t.peek(); t.err != nil {
		return nil
	}
	begin := t.at
	t.oneOf("-")
	if !t.oneOf("0") {
		t.digits()
	}
	if t.oneOf(".") {
		t.digits()
	}
	if t.oneOf("eE") {
		t.oneOf("+-")
		t.digits()
	}
	if t.at == len(t.bytes) {
		t.Fail(ErrShort)
	}
	return t.bytes[begin:t.at]
}

// oneOf reads one of some bytes, if it follows.
func (t *Text) oneOf(these string) bool {
	if t.err != nil || t.at == len(t.bytes) {
		return false
	}
	for i := range len(these) {
		if t.bytes[t.at] == these[i] {
			t.at++
			return true
		}
	}
	return false
}

// digits reads at least one digit, or up to the end of the text.
func (t *Text) digits() {
	begin := t.at
	for t.at < len(t.bytes) && '0' <= t.bytes[t.at] && t.bytes[t.at] <= '9' {
		t.at++
	}
	if t.at == begin && t.at < len(t.bytes) {
		t.unexpected("a digit")
	}
}
