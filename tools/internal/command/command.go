// Package command is what the main functions of the tools share.
package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main runs a tool until it ends or is interrupted, and ends the process with the
// status that it returns: 2 where it fails.
func Main(name string, run func(ctx context.Context, args []string, out io.Writer) (status int, err error)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status, err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		status = 2
	}
	os.Exit(status)
}
