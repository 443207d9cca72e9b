package tracer

import (
	"bytes"
	"testing"
)

// FuzzIterate reads what an iterator might hand out: whole records of each
// kind, in any bytes, and what is left over is an error.
func FuzzIterate(f *testing.F) {
	f.Add(raw(stuck()))
	f.Add(append(raw(stuck()), raw(stuck())...))
	f.Add(make([]byte, auditedSize))
	f.Add(make([]byte, 3*listenerSize+1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []struct {
			size   int
			decode func([]byte) error
		}{
			{readingSize, func(b []byte) error {
				r, err := decodeReading(b)
				socket(r, hz250)
				end(r, hz250)
				return err
			}},
			{listenerSize, func(b []byte) error { _, err := decodeListener(b); return err }},
			{auditedSize, func(b []byte) error { _, err := decodeAudited(b, hz250); return err }},
		} {
			seen := 0
			err := eachRecord(bytes.NewReader(b), make([]byte, iterBuffer), kind.size, func(b []byte) error { seen++; return kind.decode(b) })
			if seen != len(b)/kind.size || (err == nil) != (len(b)%kind.size == 0) {
				t.Errorf("%d bytes of records of %d: %d seen, %v", len(b), kind.size, seen, err)
			}
		}
	})
}
