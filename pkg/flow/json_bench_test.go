package flow_test

import (
	"encoding/json"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func BenchmarkFindingMarshal(b *testing.B) {
	f := full()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.MarshalJSON(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFindingUnmarshal(b *testing.B) {
	text, err := full().MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var f flow.Finding
		if err := json.Unmarshal(text, &f); err != nil {
			b.Fatal(err)
		}
	}
}
