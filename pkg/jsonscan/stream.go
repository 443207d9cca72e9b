package jsonscan

import (
	"errors"
	"io"
)

// Stream reads a text while it still comes.
type Stream struct {
	from io.Reader
	text Text
}

// NewStream returns a stream of the text that a reader returns. It reads about size
// bytes at once. Equal short strings share their memory.
func NewStream(from io.Reader, size int) *Stream {
	s := &Stream{from: from, text: Text{bytes: make([]byte, 0, size)}}
	s.text.Share()
	return s
}

// Next calls read, which takes something from the text. If the text ends within
// that, Next waits for more text and calls read again, from the same place.
func (s *Stream) Next(read func(*Text)) error {
	for {
		before := s.text
		read(&s.text)
		if !errors.Is(s.text.err, ErrShort) {
			return s.text.err
		}
		s.text = before
		if err := s.receive(); err != nil {
			return err
		}
	}
}

// receive waits for at least as many bytes as are not read yet. So reading a long
// value again and again costs a constant multiple of its length.
func (s *Stream) receive() error {
	t := &s.text
	rest := copy(t.bytes[:cap(t.bytes)], t.bytes[t.at:])
	t.at = 0
	if 2*rest > cap(t.bytes) {
		t.bytes = append(make([]byte, 0, 4*rest), t.bytes[:rest]...)
	}
	room := t.bytes[rest:cap(t.bytes)]
	n, err := io.ReadAtLeast(s.from, room, max(1, rest))
	t.bytes = t.bytes[:rest+n]
	if n > 0 {
		return nil // if this is not enough, the next call says why there is no more
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
