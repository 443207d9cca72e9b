package jsonscan

import (
	"errors"
	"fmt"
)

// ErrShort says that the text ends within what was to be read.
var ErrShort = errors.New("the JSON ends too early")

// Text is JSON that is read from its beginning to its end. The first error stays,
// and nothing is read after it, so that a caller may look at Err only now and then.
// What a method returns after an error has no meaning.
type Text struct {
	bytes []byte
	at    int
	fresh bool // nothing was read of the innermost object or array yet
	depth int
	err   error
	names map[string]string // nil: each string is memory of its own
}

// Of returns the text of some bytes, which must not change while it is read.
func Of(b []byte) *Text { return &Text{bytes: b} }

// Share makes equal short strings share their memory, for texts that repeat them
// thousands of times.
func (t *Text) Share() { t.names = map[string]string{} }

// Err returns the first error.
func (t *Text) Err() error { return t.err }

// Fail makes err the text's error, unless err is nil or the text has an error
// already.
func (t *Text) Fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// Open reads the bracket that begins an object or an array. More follows.
func (t *Text) Open(bracket byte) {
	if t.peek() != bracket {
		t.unexpected(string(bracket))
		return
	}
	if t.depth++; t.depth > mostDeep {
		t.Fail(errors.New("the JSON is nested too deeply"))
	}
	t.at++
	t.fresh = true
}

// mostDeep is how deeply encoding/json lets values be nested.
const mostDeep = 10_000

// Member reads the name of the next member and the colon, if they are the given ones and
// no white space stands among them; key is the name in quotes and the colon. It is for
// a member that usually follows, and reads nothing if another does.
func (t *Text) Member(key string) bool {
	at := t.at
	if !t.fresh {
		if at == len(t.bytes) || t.bytes[at] != ',' {
			return false
		}
		at++
	}
	if t.err != nil || len(t.bytes)-at < len(key) || string(t.bytes[at:at+len(key)]) != key {
		return false
	}
	t.at, t.fresh = at+len(key), false
	return true
}

// More reports whether another member or element follows, and reads the comma before
// it. At the end it reads the bracket.
func (t *Text) More(end byte) bool {
	first := t.fresh
	t.fresh = false
	switch c := t.peek(); {
	case t.err != nil:
		return false
	case c == end:
		t.at++
		t.depth--
		return false
	case first:
		return true
	case c != ',':
		t.unexpected("a comma or " + string(end))
		return false
	}
	t.at++
	return true
}

// Name reads the name of a member, and its colon. It is valid until the text changes.
func (t *Text) Name() []byte {
	name := t.Bytes()
	t.colon()
	return name
}

func (t *Text) colon() {
	if t.peek() != ':' {
		t.unexpected("a colon")
		return
	}
	t.at++
}

// peek returns the next byte that is no white space, 0 after an error.
func (t *Text) peek() byte {
	for t.err == nil {
		if t.at >= len(t.bytes) {
			t.err = ErrShort
			break
		}
		switch c := t.bytes[t.at]; c {
		case ' ', '\t', '\n', '\r':
			t.at++
		default:
			return c
		}
	}
	return 0
}

func (t *Text) unexpected(want string) {
	if t.err == nil {
		t.err = fmt.Errorf("bad JSON: %q in place of %s", t.bytes[t.at], want)
	}
}
