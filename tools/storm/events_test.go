package main

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestAClosedEventPipeLeavesNobodyReading(t *testing.T) {
	defer goleak.VerifyNone(t)
	e, err := newEventPipe(filepath.Join(t.TempDir(), "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if err := os.WriteFile(e.path, []byte(`{"type":"stuck","flow":{"id":"1f"}}`+"\n"), 0); err != nil {
		t.Fatal(err)
	}
	found, err := e.await(t.Context(), 1, "stuck", func(reported) bool { return true })
	if err != nil || len(found) != 1 || found[0].Flow.ID != "1f" {
		t.Errorf("%v, %v", found, err)
	}
}
