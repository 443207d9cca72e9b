package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

func TestAudit(t *testing.T) {
	for name, r := range map[string]audit.Report{
		"audit":         flowtest.Audit(),
		"audit-nothing": audit.New("", flowtest.Now(), nil),
	} {
		var b bytes.Buffer
		if err := report.Audit(&b, r, 100); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "testdata/"+name+".golden", b.Bytes())
	}
}

func TestAuditOfManyWorkloadsIsCut(t *testing.T) {
	var all []audit.Connection
	for n := range 60 {
		s := flow.AuditSocket{Socket: flow.Socket{State: flow.Established, RTOMax: time.Minute, Retries2: 15, Comm: "bad\x1b[31m"}}
		all = append(all, audit.Connection{Socket: s, Owner: audit.Owner{Comm: fmt.Sprintf("bad\x1b[31m%d", n)}, Peer: audit.Peer{Class: flow.PeerExternal}})
	}
	var b bytes.Buffer
	if err := report.Audit(&b, audit.New("", flowtest.Now(), all), 100); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(b.String(), "1 connection of"); got != 50 || !strings.Contains(b.String(), "… and 10 more (-o json lists all)") {
		t.Errorf("%d of 60 workloads in\n%s", got, b.String())
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("a control character of a process's name reaches the terminal")
	}
}
