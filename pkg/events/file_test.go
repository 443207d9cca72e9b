package events_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/events"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestOneEventOfEachType(t *testing.T) {
	zone := time.FixedZone("elsewhere", 3600)
	var out bytes.Buffer
	for _, kind := range []flow.EventType{
		flow.EventStuck, flow.EventRevised, flow.EventRecovered, flow.EventEnded, flow.EventDataLost,
		flow.EventAtRisk, flow.EventDegraded, flow.EventRestored,
	} {
		ev := flow.Event{Type: kind, Time: flowtest.Now().In(zone)}
		switch kind {
		case flow.EventDegraded, flow.EventRestored:
			ev.Source, ev.Reason = "cluster", "state.yaml was last read 2m0s ago"
		case flow.EventEnded, flow.EventDataLost:
			f := flowtest.Ended()
			ev.Flow = &f
		case flow.EventRecovered:
			f := flowtest.Egress()
			f.Outcome, f.EndedAt = flow.Recovered, f.At
			ev.Flow = &f
		default:
			f := flowtest.Calico()
			ev.Flow = &f
		}
		out.Write(events.AppendLine(nil, ev))
	}
	golden.Check(t, "testdata/events.golden", out.Bytes())
}

// sources returns the source of every event in a file, "?" for a line that
// is no event.
func sources(t *testing.T, path string) []string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range bytes.Lines(content) {
		var ev flow.Event
		if json.Unmarshal(line, &ev) != nil {
			ev.Source = "?"
		}
		got = append(got, ev.Source)
	}
	return got
}

func TestFileAppends(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	for _, source := range []string{"1", "2"} {
		file, err := events.NewFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := events.NewFanout(slog.New(slog.DiscardHandler))
		f.Add("file", file, 8)
		f.Publish(degraded(source))
		if err := f.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"1", "2"}, sources(t, path)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got&^0o640 != 0 || got&0o600 != 0o600 {
		t.Errorf("mode %o, want 640 less the umask", got)
	}
}

func TestFileFollowsRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.jsonl")
	file, err := events.NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(source string) {
		t.Helper()
		if err := file.Write(degraded(source)); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("2")
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o640); err != nil { // by the rotation itself
		t.Fatal(err)
	}
	write("3")
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"1", "2"} {
		if diff := cmp.Diff([]string{n}, sources(t, path+"."+n)); diff != "" {
			t.Errorf("moved %s: -want +got\n%s", n, diff)
		}
	}
	if diff := cmp.Diff([]string{"3"}, sources(t, path)); diff != "" {
		t.Errorf("in its place: -want +got\n%s", diff)
	}
}

func TestFileHealsAfterItsFolderIsBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "events.jsonl")
	if _, err := events.NewFile(path); err == nil {
		t.Fatal("a file in a folder that is not there was opened")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := events.NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := file.Write(degraded("1")); err == nil {
		t.Error("an event that nobody can read counts as written")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := file.Write(degraded("2")); err != nil {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"2"}, sources(t, path)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPipeThatNobodyReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		_, err := events.NewFile(path)
		opened <- err
	}()
	select {
	case err := <-opened:
		if err == nil || !strings.Contains(err.Error(), "without a reader") {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for a reader")
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	file, err := events.NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Write(degraded("1")); err != nil {
		t.Error(err)
	}
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil || !strings.Contains(line, `"1"`) {
		t.Errorf("the reader has %q, %v", line, err)
	}
	for err = nil; err == nil; { // it has no reader any more
		err = file.Write(degraded("2"))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a full pipe: %v", err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	if err := file.Write(degraded("3")); err == nil {
		t.Error("an event without a reader counts as written")
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

func TestATornLineIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	for _, c := range []struct {
		before string
		want   []string
	}{
		{"", []string{"1"}},
		{`{"type":"degraded","source":"0"}` + "\n", []string{"0", "1"}},
		{`{"type":"degr`, []string{"?", "1"}},
	} {
		if err := os.WriteFile(path, []byte(c.before), 0o640); err != nil {
			t.Fatal(err)
		}
		file, err := events.NewFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(file.Write(degraded("1")), file.Close()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, sources(t, path)); diff != "" {
			t.Errorf("after %q: -want +got\n%s", c.before, diff)
		}
	}
}
