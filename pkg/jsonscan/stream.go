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

// NewStream returns the stream of what a reader gives. Equal short strings share their
// memory. It reads about so many bytes at once.
func NewStream(from io.Reader, size int) *Stream {
	s := &Stream{from: from, text: Text{bytes: make([]byte, 0, size)}}
	s.text.Share()
	return s
}

// Next calls read, which reads something from the text. If what is there is too short
// for that, it waits for more and calls read anew.
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

// receive waits for as much again as was not read yet, so that reading a long value
// anew costs a constant number of times its length.
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
