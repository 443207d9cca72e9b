package chaos

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReportedStuckCountsEachConnectionOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	conns := []*conn{{id: 0x1f}, {id: 0x2f}, {id: 0x3f}}
	content := ""
	for _, step := range []struct {
		line string
		want int
	}{
		{`{"type":"degraded"}` + "\n", 0},
		{`{"type":"stuck","flow":{"id":"99"}}` + "\n", 0}, // another connection's
		{`{"type":"stuck","flow":{"id":"1f"}}` + "\n", 1},
		{`{"type":"stuck","flow":{"id":"1f"}}` + "\n", 1},
		{`{"type":"ended","flow":{"id":"2f"}}` + "\n", 1},
		{`{"type":"stuck","flow":{"id":"2f"}}` + "\n", 2},
		{`{"type":"stuck","flow":{"id":`, 2}, // being written
		{`"3f"}}` + "\n", 3},
	} {
		if n, err := toldStuck(path, conns); content == "" && (n != 0 || err != nil) {
			t.Errorf("before there is a file: %d, %v", n, err)
		}
		content += step.line
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := toldStuck(path, conns); n != step.want || err != nil {
			t.Errorf("after %q: %d, %v, want %d", step.line, n, err, step.want)
		}
	}
	if _, err := toldStuck(filepath.Dir(path), conns); err == nil {
		t.Error("a folder is read")
	}
}
