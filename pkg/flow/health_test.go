package flow_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestHealthJSON(t *testing.T) {
	for _, c := range []struct {
		health flow.Health
		json   string
	}{
		{flow.Health{Source: flow.SourceRoute}, `{"source":"route","up":false,"last_sync":null,"detail":null}`},
		{
			flow.Health{Source: flow.SourceCluster, Up: true, LastSync: time.Date(2026, 3, 1, 14, 0, 0, 0, time.UTC), Detail: "file"},
			`{"source":"cluster","up":true,"last_sync":"2026-03-01T14:00:00Z","detail":"file"}`,
		},
	} {
		b, err := json.Marshal(c.health)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.json, string(b)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		var got flow.Health
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.health, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}
