package report_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

func TestStale(t *testing.T) {
	entry := flow.StaleEntry{
		Client: netip.MustParseAddrPort("192.168.75.2:43580"), Service: netip.MustParseAddrPort("10.96.0.10:8000"),
		Backend: netip.MustParseAddrPort("192.168.136.2:8000"), Namespace: "default", Pod: "server-1",
		DeletedAt: flowtest.Now().Add(-20 * time.Minute), ExpiresAt: flowtest.Now().Add(298 * time.Second), Command: "conntrack -D …",
	}
	bare := entry
	bare.Namespace, bare.Pod = "", ""
	for name, entries := range map[string][]flow.StaleEntry{"none": nil, "one": {entry}, "two": {entry, bare}} {
		var b bytes.Buffer
		if err := report.Stale(&b, entries, flowtest.Now()); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/stale-"+name+".golden", b.Bytes())
	}
}
