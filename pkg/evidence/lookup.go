package evidence

import (
	"context"
	"time"
)

const (
	patience       = 200 * time.Millisecond // for one lookup
	searchPatience = 2 * time.Second        // for one search of the whole conntrack table
)

// lookup returns the context of one lookup. A lookup that has begun is finished
// within its own patience, even if the agent is to end: an aborted lookup would
// look like a source that fails.
func lookup(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}
