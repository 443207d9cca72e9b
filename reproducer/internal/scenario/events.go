package scenario

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// pollInterval is the interval of polls of a file or an address that cannot be awaited.
const pollInterval = 10 * time.Millisecond

// follow sends each event that is appended to a file, until ctx ends. It waits for a file
// that does not exist yet.
func follow(ctx context.Context, path string, events chan<- flow.Event) error {
	var file *os.File
	err := await(ctx, func() (bool, error) {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		file = f
		return err == nil, err
	})
	if err != nil {
		return err
	}
	defer file.Close()
	var line []byte // may come in parts
	for in := bufio.NewReader(file); ; {
		part, err := in.ReadBytes('\n')
		line = append(line, part...)
		switch {
		case errors.Is(err, io.EOF):
			if !pause(ctx, pollInterval) {
				return nil
			}
			continue
		case err != nil:
			return fmt.Errorf("read events: %w", err)
		}
		var e flow.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("read event %q: %w", line, err)
		}
		line = line[:0]
		select {
		case events <- e:
		case <-ctx.Done():
			return nil
		}
	}
}

// await polls until the answer is yes, an error, or ctx ends.
func await(ctx context.Context, ask func() (bool, error)) error {
	for {
		yes, err := ask()
		if yes || err != nil {
			return err
		}
		if !pause(ctx, pollInterval) {
			return ctx.Err()
		}
	}
}

// pause waits; it returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
