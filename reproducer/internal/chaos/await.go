package chaos

import (
	"context"
	"time"
)

// lookInterval is the interval of polls for what cannot be awaited.
const lookInterval = 50 * time.Millisecond

// listInterval is the interval of requests for thousands of flows.
const listInterval = 400 * time.Millisecond

// await polls until the answer is yes, an error, or ctx ends.
func await(ctx context.Context, ask func() (bool, error)) error {
	return awaitEvery(ctx, lookInterval, ask)
}

func awaitEvery(ctx context.Context, interval time.Duration, ask func() (bool, error)) error {
	for {
		yes, err := ask()
		if yes || err != nil {
			return err
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
