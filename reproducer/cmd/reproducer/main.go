// Command reproducer makes connections hang as they hang in real clusters, on
// this kernel, and checks what the agent says of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// Exit codes.
const (
	exitUnexpected = 1 // the verdict was not the expected one
	exitError      = 2 // the run could not be played to its end
)

// errUnexpected means that a scenario was played and did not end as expected.
var errUnexpected = errors.New("not as expected")

const usage = `usage:
  reproducer list [-o table|json]
  reproducer run NAME [--json] [--keep] [--full] [--family 4|6|mapped] [--bin DIR]
  reproducer demo [--bin DIR]
  reproducer accuracy [--seed N] [--flows N] [--only FLOW] [--parallel N] [--report FILE] [--keep DIR] [--bin DIR]

Needs root. Everything happens in network namespaces of its own.`

// init keeps the main goroutine on the process's first thread: the threads of
// network namespaces end, and that one cannot.
func init() { runtime.LockOSThread() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp): // the help was printed
	case errors.Is(err, errUnexpected):
		os.Exit(exitUnexpected)
	case err != nil:
		fmt.Fprintln(os.Stderr, "reproducer:", err)
		os.Exit(exitError)
	}
}

func dispatch(ctx context.Context, args []string, out, errOut io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("no command\n%s", usage)
	}
	switch args[0] {
	case "list":
		return list(args[1:], out)
	case "run":
		return run(ctx, args[1:], out, errOut)
	case "demo":
		return demo(ctx, args[1:], out)
	case "accuracy":
		return measure(ctx, args[1:], out)
	case "help", "-h", "--help":
		_, err := fmt.Fprintln(out, usage)
		return err
	}
	return fmt.Errorf("unknown command %q\n%s", args[0], usage)
}
