package main

import (
	"bytes"
	"fmt"
	"os"
)

// The table stands between these lines of the page.
var (
	tableBegins = []byte("<!-- storm: the table is written by the bench -->\n")
	tableEnds   = []byte("<!-- storm: end -->\n")
)

// writePage replaces the table of a page.
func writePage(path string, r *report) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	before, rest, ok1 := bytes.Cut(page, tableBegins)
	_, rest, ok2 := bytes.Cut(rest, tableEnds)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no place for the table", path)
	}
	var b bytes.Buffer
	b.Write(before)
	b.Write(tableBegins)
	if err := r.markdown(&b); err != nil {
		return err
	}
	b.Write(tableEnds)
	b.Write(rest)
	return os.WriteFile(path, b.Bytes(), 0o644)
}
