// Command tcpstuck-agent watches the TCP connections of one node and says
// which are stuck, why, whose they are, what they will lose, when the kernel
// will give up, and what to do.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/tcpstuck/tcpstuck/internal/cli"
	"github.com/tcpstuck/tcpstuck/pkg/privilege"
)

// version is set by the linker.
var version = "dev"

// exitError is the status if the agent cannot continue.
const exitError = 2

func main() {
	limitMemory()
	// A program with capabilities on its file dies without a trace unless it asks
	// for one.
	debug.SetTraceback("single")
	c, err := parse(os.Args[1:], version)
	if err == nil {
		c.settle = privilege.Settle
		err = privilege.Restrict()
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		err = run(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tcpstuck-agent:", cli.Line(err))
		os.Exit(exitError)
	}
}
