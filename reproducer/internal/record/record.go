// Package record is what the echo pair reports to the program that started it:
// one JSON object a line, with the wall time at which it happened.
package record

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"
)

// Kind is what happened.
type Kind string

// The kinds of record.
const (
	Listening Kind = "listening" // the server accepts connections
	Ready     Kind = "ready"     // it waits for a signal to begin
	Accepted  Kind = "accepted"  // the server accepted one
	Connected Kind = "connected" // the client connected
	Write     Kind = "write"     // a write call was about to be made
	Wrote     Kind = "wrote"     // a write call returned; Bytes is all that the kernel took so far
	Read      Kind = "read"      // an answer, or the part of it that was due, was read
	Error     Kind = "error"     // a call on the connection failed
	Closed    Kind = "closed"    // the connection was closed by this side
	Paused    Kind = "paused"    // no request is in flight, and none is made until SIGUSR2
	Standing  Kind = "standing"  // the state of an open connection, on request
	Dialling  Kind = "dialling"  // a connection is about to be asked for; Local has its port
)

// Record is one event of one connection. Time is taken right before a write and right after
// anything else.
type Record struct {
	Time   time.Time      `json:"time"`
	Kind   Kind           `json:"kind"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"` // zero for Listening
	Error  string         `json:"error,omitempty"`
	Bytes  int64          `json:"bytes,omitempty"`  // in total so far, if the program counts them
	Unsent int64          `json:"unsent,omitempty"` // of Bytes, those that the kernel has and has not sent, where the program asks

	// For connections of a crowd, at their end or on request.
	Errno          string        `json:"errno,omitempty"`
	Unacknowledged int64         `json:"unacknowledged,omitempty"` // of Bytes, those that were sent and not acknowledged
	Steady         bool          `json:"steady,omitempty"`         // the two did not change in the last two looks
	Asked          time.Time     `json:"asked,omitzero"`           // when the write without an answer was made; zero: there is none
	LastSegment    time.Time     `json:"last_segment,omitzero"`    // when something was last received or acknowledged
	Resumed        time.Time     `json:"resumed,omitzero"`         // when the longest wait for an answer ended
	Lag            time.Duration `json:"lag,omitempty"`            // the longest delay of the program's latest wake-ups
}

// Writer writes records. It is safe for concurrent use.
type Writer struct {
	mu  sync.Mutex
	enc *json.Encoder
}

// NewWriter returns a writer of records to w.
func NewWriter(w io.Writer) *Writer { return &Writer{enc: json.NewEncoder(w)} }

// Write writes one record.
func (w *Writer) Write(r Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.enc.Encode(r); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}

// ReadAll calls f for each record until r ends.
func ReadAll(r io.Reader, f func(Record)) error {
	dec := json.NewDecoder(r)
	for {
		var rec Record
		err := dec.Decode(&rec)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read record: %w", err)
		}
		f(rec)
	}
}
