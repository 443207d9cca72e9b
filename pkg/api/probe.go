package api

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrNotReady is why an agent tells nothing of flows just after its start.
var ErrNotReady = errors.New("not ready")

// trusted refuses to tell of flows until the agent is ready: that nothing is
// known yet would be taken for that nothing hangs.
func (s *server) trusted(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.notReady(); err != nil {
			s.fail(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		next(w, r)
	}
}

func (s *server) notReady() error {
	if err := s.Ready(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	return nil
}
