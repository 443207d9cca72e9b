package evidence

import (
	"context"
	"time"
)

const (
	patience       = 200 * time.Millisecond // for one lookup
	searchPatience = 2 * time.Second        // for one search of the whole conntrack table
)

// lookup returns the context of one lookup. One that has begun is finished
// with its own patience, also when the agent is told to end: a question that
// was broken off would look like a source that fails.
func lookup(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}
