package api

import (
	"net/http"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Status is the answer of /v1/status: the agent about itself. An empty
// string means that it is not known.
type Status struct {
	APIVersion string                   `json:"apiVersion"`
	Version    string                   `json:"version"`
	Node       string                   `json:"node"`
	BootID     string                   `json:"boot_id"`
	Stuck      int                      `json:"stuck"`    // reported flows
	Suspects   int                      `json:"suspects"` // without progress, not reported yet
	Counted    map[flow.Suppression]int `json:"counted"`  // suppressed, by reason
	Sources    []flow.Health            `json:"sources"`
}

func (s *server) status(w http.ResponseWriter, _ *http.Request) {
	s.reply(w, http.StatusOK, s.newStatus())
}

func (s *server) newStatus() Status {
	status := Status{
		APIVersion: flow.APIVersion, Version: s.Version, Node: s.Node, BootID: s.BootID,
		Suspects: s.Reader.Suspects(), Sources: s.Reader.Health(),
	}
	count := s.Reader.Count()
	status.Stuck, status.Counted = count[""], counted(count)
	return status
}

// counted has every reason to suppress a finding, also one with none.
func counted(count map[flow.Suppression]int) map[flow.Suppression]int {
	counted := map[flow.Suppression]int{flow.SuppressedExternalClient: 0, flow.SuppressedClosing: 0, flow.SuppressedAtRisk: 0}
	for reason, n := range count {
		if reason != "" {
			counted[reason] = n
		}
	}
	return counted
}
