package api

import (
	"context"
	"net/http"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// StaleList is what /v1/stale answers.
type StaleList struct {
	APIVersion string            `json:"apiVersion"`
	Entries    []flow.StaleEntry `json:"entries"`
}

func (s *server) stale(w http.ResponseWriter, _ *http.Request) {
	list := StaleList{APIVersion: flow.APIVersion, Entries: s.Reader.Stale()}
	if list.Entries == nil {
		list.Entries = []flow.StaleEntry{}
	}
	s.reply(w, http.StatusOK, list)
}

// Stale returns the conntrack entries that outlived their flows.
func (c *Client) Stale(ctx context.Context) (StaleList, error) {
	var list StaleList
	err := c.get(ctx, "/v1/stale", &list, &list.APIVersion)
	return list, err
}
