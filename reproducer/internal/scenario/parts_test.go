package scenario

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

func TestParseMetrics(t *testing.T) {
	const text = `# HELP a_total A.
# TYPE a_total counter
a_total{kind="timeout"} 3
a_total{kind="fast",said="a \"quote\", a } and a \\"} 1.5
b 2
`
	got, err := ParseMetrics(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Metrics{
		{Name: "a_total", Labels: map[string]string{"kind": "timeout"}, Value: 3},
		{Name: "a_total", Labels: map[string]string{"kind": "fast", "said": `a "quote", a } and a \`}, Value: 1.5},
		{Name: "b", Labels: map[string]string{}, Value: 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if sum, found := got.Sum("a_total"); sum != 4.5 || !found {
		t.Errorf("sum is %v, %v; want 4.5", sum, found)
	}
	if _, found := got.Sum("a"); found {
		t.Error("found a metric that is not there")
	}
}

func TestParseMetricsRefusesNonsense(t *testing.T) {
	for _, text := range []string{"a", `a{x="y" 1`, `a{x} 1`, "a one", `a{x="y"`} {
		if m, err := ParseMetrics(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read as %v", text, m)
		}
	}
}

func TestFindLabel(t *testing.T) {
	for value, want := range map[string]bool{
		"40001": true, "203.0.113.9:40001": true, "[2001:db8::1]:40001": true, "8000": false, "node-40001": false,
	} {
		m := Metrics{{Name: "a", Labels: map[string]string{"x": value}}}
		if _, got := m.findLabel([]uint16{40000, 40001}); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

func TestFollowReadsWhatIsAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	events := make(chan flow.Event)
	done := make(chan error)
	go func() { done <- follow(ctx, path, events) }()

	line, err := json.Marshal(flow.Event{Type: flow.EventDegraded, Source: "cluster"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, part := range []string{string(line[:7]), string(line[7:]) + "\n" + string(line) + "\n"} {
		if _, err := file.WriteString(part); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * pollInterval) // so that the parts are read apart
	}
	for range 2 {
		select {
		case e := <-events:
			if e.Type != flow.EventDegraded || e.Source != "cluster" {
				t.Errorf("read %+v", e)
			}
		case err := <-done:
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestFollowFailsOnNonsense(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte("stuck!\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := follow(ctx, path, nil); err == nil {
		t.Error("a line that is no event was taken")
	}
}

func TestMissingFields(t *testing.T) {
	const full = `{"id":"1f","local":{"pod":"p","workload":"w","pid":7,"comm":"echo"},"peer":{"service":"s","address":"10.96.0.10"},` +
		`"backend":{"address":"192.168.136.2","state":"deleted"},"age_seconds":0.4,"unacknowledged_bytes":6,"gives_up_at":"never","sentence":"s","advice":[{}]}`
	for name, tc := range map[string]struct {
		line string
		want []string
	}{
		"all there":  {full, nil},
		"no pid":     {strings.Replace(full, `"pid":7`, `"pid":null`, 1), []string{"local.pid"}},
		"no bytes":   {strings.Replace(full, `bytes":6`, `bytes":0`, 1), []string{"unacknowledged_bytes"}},
		"no backend": {strings.Replace(full, `"backend":{`, `"other":{`, 1), []string{"backend.address", "backend.state"}},
	} {
		got, err := missingFields([]byte("{\"id\":\"1e\"}\n"+tc.line+"\n"), 0x1f)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	if _, err := missingFields([]byte(full), 0x2f); err == nil {
		t.Error("another flow's line was taken")
	}
}

func TestFirstWrite(t *testing.T) {
	start := time.Date(2026, 3, 1, 14, 2, 0, 0, time.UTC)
	at := func(seconds int, kind record.Kind) record.Record {
		return record.Record{Time: start.Add(time.Duration(seconds) * time.Second), Kind: kind}
	}
	for name, tc := range map[string]struct {
		records []record.Record
		want    int // seconds
	}{
		"between requests": {[]record.Record{at(1, record.Write), at(1, record.Read), at(6, record.Write)}, 6},
		"on its way":       {[]record.Record{at(0, record.Write), at(0, record.Read), at(1, record.Write)}, 1},
		"several writes":   {[]record.Record{at(1, record.Write), at(6, record.Write), at(7, record.Write)}, 6},
	} {
		if got := firstWrite(tc.records, start.Add(5*time.Second)); !got.Equal(start.Add(time.Duration(tc.want) * time.Second)) {
			t.Errorf("%s: got %s, want %d s", name, got.Sub(start), tc.want)
		}
	}
}
