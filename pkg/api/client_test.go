package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/door"
	"github.com/tcpstuck/tcpstuck/pkg/jsonscan"
)

// Another program on the socket, or a later version, is not taken for an agent
// without findings.
func TestClientRefusesAnotherVersion(t *testing.T) {
	for _, body := range []string{`{}`, `{"apiVersion":"tcpstuck/v9"}`} {
		socket := filepath.Join(t.TempDir(), "s")
		l, err := api.ListenUnix(t.Context(), socket)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, body) })
		go func() { served <- door.Serve(ctx, l, h, slog.New(slog.DiscardHandler)) }()
		client := api.NewClient(socket)
		for name, ask := range map[string]func() error{
			"flows": func() error { _, err := client.Flows(ctx, api.Query{}); return err },
			"each": func() error {
				_, _, err := client.EachFlow(ctx, api.Query{}, func(t *jsonscan.Text) { t.Skip() })
				return err
			},
			"flow":   func() error { _, err := client.Flow(ctx, "1f3a"); return err },
			"status": func() error { _, err := client.Status(ctx); return err },
			"stale":  func() error { _, err := client.Stale(ctx); return err },
			"audit":  func() error { _, err := client.Audit(ctx); return err },
		} {
			if err := ask(); err == nil || !strings.Contains(err.Error(), `this program reads "tcpstuck/v1"`) {
				t.Errorf("%s of %s: %v", name, body, err)
			}
		}
		client.Close()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}
