package api

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrNotReady is why an agent answers nothing about flows just after its start.
var ErrNotReady = errors.New("not ready")

// trusted answers nothing about flows until the agent is ready: an empty list would
// look like a node on which nothing hangs.
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
