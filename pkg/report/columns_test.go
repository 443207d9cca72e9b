package report

import (
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestAColumnStandsUnderItsTitle: wherever it is put, and in every table.
func TestAColumnStandsUnderItsTitle(t *testing.T) {
	f := flowtest.Calico()
	want := map[string]string{
		"ID": f.ID.String(), "NODE": f.Node, "ROLE": "client", "POD": f.Backend.Pod, "SYMPTOM": string(f.Symptom), "CAUSE": string(f.Cause),
		"UNACKED": number(f.Unacknowledged), "UNSENT": number(f.Unsent), "OUTCOME": "-", "ERROR": "-", "LOCAL": f.Local.Addr.String(),
	}
	for name, columns := range map[string][]column{
		"live": liveColumns, "ended": endedColumns, "live, of many nodes": withNode(liveColumns), "turned": {columnUnsent, columnID, columnUnacked},
	} {
		var b strings.Builder
		tabulate(&b, columns, flowtest.Now(), View{Flows: []flow.Finding{f}})
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		titles, values := strings.Fields(lines[0]), strings.Fields(lines[1])
		if len(lines) != 2 || len(titles) != len(columns) || len(values) != len(columns) {
			t.Fatalf("%s: %q", name, lines)
		}
		seen := map[string]bool{}
		for n, title := range titles {
			if seen[title] {
				t.Errorf("%s has two columns %s", name, title)
			}
			seen[title] = true
			if known, ok := want[title]; ok && values[n] != known {
				t.Errorf("%s: %s is %q, want %q", name, title, values[n], known)
			}
		}
	}
}
