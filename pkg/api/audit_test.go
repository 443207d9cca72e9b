package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/door"
)

func TestAudit(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, c := range map[string]struct {
		audit func() (audit.Report, error)
		code  int
		body  string // a part of it
	}{
		"made":    {func() (audit.Report, error) { return flowtest.Audit(), nil }, 200, `"class":"Unbounded"`},
		"failed":  {func() (audit.Report, error) { return audit.Report{}, errors.New("no iterator") }, 500, `{"error":"no iterator"}`},
		"no such": {nil, 404, `{"error":"this agent makes no audits"}`},
	} {
		h := api.Handler(api.Options{Reader: flowtest.NewReader(), Audit: c.audit, Log: log})
		w := ask(h, "GET", "/v1/audit")
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.body) || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestAuditArrivesAtTheClientAsItWasMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	l, err := api.ListenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	h := api.Handler(api.Options{Reader: flowtest.NewReader(), Audit: func() (audit.Report, error) { return flowtest.Audit(), nil }, Log: log})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- door.Serve(ctx, l, h, log) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	client := api.NewClient(path)
	defer client.Close()
	got, err := client.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(flowtest.Audit(), got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
		t.Errorf("-sent +got\n%s", diff)
	}
}
