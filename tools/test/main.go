// Command test runs go test, shows what matters of its output, and says at
// the end which tests were left out and why. Under CI=true a test that is left
// out is a failure.
//
//	go run ./tools/test [go test flags] [packages]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/tcpstuck/tcpstuck/tools/internal/command"
)

func main() {
	command.Main("test", func(ctx context.Context, args []string, out io.Writer) (int, error) {
		ok, err := test(ctx, args, os.Getenv("CI") != "", out)
		if !ok {
			return 1, err
		}
		return 0, err
	})
}

// test runs go test with args and reports whether all is well: nothing
// failed and, where complete is demanded, nothing was left out.
func test(ctx context.Context, args []string, complete bool, out io.Writer) (bool, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("start go test: %w", err)
	}
	r, readErr := follow(stdout, out)
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return false, fmt.Errorf("run go test: %w", err)
	}
	if readErr != nil {
		return false, readErr
	}
	r.conclude(out)
	return err == nil && (!complete || len(r.skipped) == 0), nil
}

// follow reads go test's events to their end.
func follow(in io.Reader, out io.Writer) (*report, error) {
	r := newReport()
	for d := json.NewDecoder(in); ; {
		var e event
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read go test's events: %w", err)
		}
		r.take(e, out)
	}
}
