package door

import (
	"fmt"
	"net/http"
)

// Alive answers /healthz: the agent runs.
func Alive(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") }

// Ready answers /readyz by what ready returns: nil once the agent can be
// trusted, else why not yet.
func Ready(ready func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		Alive(w, r)
	}
}
