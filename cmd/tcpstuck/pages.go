package main

import "io"

// pageBytes is how much is written at once. A flow that begins on a page may exceed it.
const pageBytes = 1 << 20

// pages is output that waits until all of it is known. In a storm it has a hundred
// megabytes: a single piece of memory would be copied each time it grows.
type pages struct {
	full [][]byte
	page []byte // the last one
}

// last returns the page to append to; put gives it back.
func (p *pages) last() []byte {
	if p.page == nil {
		p.page = make([]byte, 0, pageBytes+pageBytes/16)
	}
	return p.page
}

func (p *pages) put(page []byte) {
	p.page = page
	if len(page) >= pageBytes {
		p.full, p.page = append(p.full, page), nil
	}
}

func (p *pages) write(w io.Writer) error {
	for _, page := range append(p.full, p.page) {
		if len(page) == 0 {
			continue
		}
		if _, err := w.Write(page); err != nil {
			return err
		}
	}
	return nil
}
