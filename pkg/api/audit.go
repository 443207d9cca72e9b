package api

import (
	"context"
	"net/http"

	"github.com/tcpstuck/tcpstuck/pkg/audit"
)

// audit answers /v1/audit with an audit.Report of this moment.
func (s *server) audit(w http.ResponseWriter, r *http.Request) {
	if s.Audit == nil {
		s.fail(w, http.StatusNotFound, "this agent makes no audits")
		return
	}
	leave, err := s.turn.take(r.Context())
	if err != nil {
		s.fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer leave() // once it is sent: it may be large
	report, err := s.Audit()
	if err != nil {
		s.Log.Error("An audit failed", "err", err)
		s.fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	s.reply(w, http.StatusOK, report)
}

// Audit returns which connections would hang if their peer vanished now.
func (c *Client) Audit(ctx context.Context) (audit.Report, error) {
	var r audit.Report
	err := c.get(ctx, "/v1/audit", &r, &r.APIVersion)
	return r, err
}
