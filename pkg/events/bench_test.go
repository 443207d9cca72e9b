package events_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/events"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func calico() flow.Event {
	f := flowtest.Calico()
	return flow.Event{Type: flow.EventStuck, Time: f.At, Flow: &f}
}

// BenchmarkLine shows what json.Marshal would add to an event's line.
func BenchmarkLine(b *testing.B) {
	ev := calico()
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var line []byte
		for b.Loop() {
			line = events.AppendLine(line[:0], ev)
		}
	})
	b.Run("marshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(ev); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkFile(b *testing.B) {
	file, err := events.NewFile(filepath.Join(b.TempDir(), "events.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	ev := calico()
	b.ReportAllocs()
	for b.Loop() {
		if err := file.Write(ev); err != nil {
			b.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
}

// A storm writes thousands of events at once: their lines must not become garbage.
// The event itself is one allocation.
func TestALineNeedsNoMemory(t *testing.T) {
	ev, line := calico(), make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(100, func() { events.AppendLine(line, ev) }); n > 1 {
		t.Errorf("%v allocations for a line", n)
	}
}
