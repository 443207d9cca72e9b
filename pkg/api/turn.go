package api

import (
	"context"
	"errors"
	"net/http"
	"time"
)

const (
	// turnTimeout is how long a request waits for its turn.
	turnTimeout = 5 * time.Second
	// stallTimeout is how long a client may read nothing of its answer.
	stallTimeout = 10 * time.Second
)

var errBusy = errors.New("others are asking the same; try again")

// turn lets one expensive answer be composed at a time: all findings at once,
// or a pass over all sockets.
type turn chan struct{}

// take waits for the turn; leave passes it on.
func (t turn) take(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, errBusy
	}
}

// patient writes an answer as long as its client reads.
type patient struct {
	http.ResponseWriter
	controller *http.ResponseController
}

func patience(w http.ResponseWriter) patient {
	return patient{w, http.NewResponseController(w)}
}

func (p patient) Write(b []byte) (int, error) {
	// An error means that there is no connection to wait for.
	_ = p.controller.SetWriteDeadline(time.Now().Add(stallTimeout))
	return p.ResponseWriter.Write(b)
}
