package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// The first words of an answer if the agent has no such flow, or several with such
// an id.
const (
	NoFlow    = "no flow has an id"
	ManyFlows = "several flows have ids"
)

// The reasons why one flow cannot be shown.
var (
	errNoFlow    = errors.New(NoFlow)
	errManyFlows = errors.New(ManyFlows)
)

func (s *server) flow(w http.ResponseWriter, r *http.Request) {
	f, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, codeOf(err), err.Error())
		return
	}
	s.reply(w, http.StatusOK, f)
}

func codeOf(err error) int {
	switch {
	case errors.Is(err, errNoFlow):
		return http.StatusNotFound
	case errors.Is(err, errManyFlows):
		return http.StatusConflict
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// find returns the flow with that id, or the only one whose id has that prefix.
func (s *server) find(ctx context.Context, prefix string) (flow.Finding, error) {
	prefix = strings.ToLower(prefix)
	id, err := flow.ParseID(prefix)
	if err != nil {
		return flow.Finding{}, err
	}
	if f, ok := s.Reader.Finding(id); ok {
		return f, nil
	}
	found, err := s.beginning(ctx, prefix)
	switch {
	case err != nil:
		return flow.Finding{}, err
	case len(found) > 1:
		return flow.Finding{}, fmt.Errorf("%w that begin with %s: %s", errManyFlows, prefix, someIDs(found))
	case len(found) == 1:
		if f, ok := s.Reader.Finding(found[0]); ok {
			return f, nil
		}
	}
	return flow.Finding{}, fmt.Errorf("%w that begins with %s: it is not stuck, or it ended long ago", errNoFlow, prefix)
}

// lookUp is the number of ids after which the search checks whether the caller is
// still there.
const lookUp = 1024

// beginning returns the ids with a prefix, in order. It reads only ids, for one
// caller at a time: composing all flows would cost the caller nothing and the agent
// megabytes.
func (s *server) beginning(ctx context.Context, prefix string) (found []flow.ID, err error) {
	leave, err := s.search.take(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	for i, id := range s.Reader.IDs() {
		if i%lookUp == 0 && ctx.Err() != nil {
			return nil, errBusy
		}
		if id.BeginsWith(prefix) {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	return found, nil
}

func someIDs(ids []flow.ID) string {
	return phrase.Some(len(ids), 5, func(n int) string { return ids[n].String() })
}
