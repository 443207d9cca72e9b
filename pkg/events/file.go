package events

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// fileMode lets the group read: a log collector seldom runs as root.
const fileMode = 0o640

// writeTimeout is how long a pipe may take to take an event.
const writeTimeout = time.Second

// File is a sink that appends each event as one line of JSON. If the file was
// moved or removed, as log rotation does, it is created again. Writing to a
// named pipe fails while it has no reader.
type File struct {
	path string
	file *os.File // nil after a failure: the next write opens it again
	torn bool     // its last line has no end
	line []byte   // the latest one: its memory serves the next
}

// NewFile opens the file, or creates it.
func NewFile(path string) (*File, error) {
	f := &File{path: path}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

// Write appends one line.
func (f *File) Write(ev flow.Event) error {
	if err := f.reopen(); err != nil {
		return err
	}
	f.line = f.line[:0]
	if f.torn {
		f.line = append(f.line, '\n')
	}
	f.line = AppendLine(f.line, ev)
	// Only a pipe has a deadline, and needs one.
	_ = f.file.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := f.file.Write(f.line)
	if err == nil {
		f.torn = false
		return nil
	}
	f.takeBack(n)
	_ = f.Close()
	return fmt.Errorf("write event: %w", err)
}

// takeBack removes the n bytes of a line that was cut short.
func (f *File) takeBack(n int) {
	if n == 0 {
		return
	}
	info, err := f.file.Stat()
	if err == nil {
		err = f.file.Truncate(info.Size() - int64(n))
	}
	f.torn = err != nil // a pipe cannot take them back
}

// Close closes the file. Everything was written before.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// reopen makes f.file the file that has the path now.
func (f *File) reopen() error {
	if f.file == nil {
		return f.open()
	}
	is, err := os.Stat(f.path)
	if err == nil {
		was, err := f.file.Stat()
		if err == nil && os.SameFile(is, was) {
			return nil
		}
	}
	_ = f.Close()
	return f.open()
}

func (f *File) open() error {
	// Not blocking: opening a pipe without a reader would take for ever.
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, fileMode)
	if errors.Is(err, syscall.ENXIO) {
		return fmt.Errorf("open events file: %s is a pipe without a reader", f.path)
	}
	if err != nil {
		return fmt.Errorf("open events file: %w", err)
	}
	f.file = file
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		f.torn = endsTorn(f.path, info.Size())
	}
	return nil
}

// endsTorn reports whether a file's last line has no end: the agent that wrote it
// was killed.
func endsTorn(path string, size int64) bool {
	if size == 0 {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	last := make([]byte, 1)
	_, err = file.ReadAt(last, size-1)
	return err == nil && last[0] != '\n'
}

// AppendLine appends the event as one line of JSON, its newline included.
func AppendLine(b []byte, ev flow.Event) []byte {
	return append(ev.AppendJSON(b), '\n')
}
