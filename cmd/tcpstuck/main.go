// Tcpstuck asks the agent of this node which TCP connections are stuck, why,
// and what to do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tcpstuck/tcpstuck/internal/cli"
	"github.com/tcpstuck/tcpstuck/pkg/api"
)

var version = "unknown" // the build stamps it

// The exit codes.
const (
	exitOK    = 0 // for dump: nothing is stuck
	exitStuck = 1 // for dump: something is stuck
	exitError = 2 // of any kind, a wrong command line included
)

// patience is how long the agent may take to answer.
const patience = 30 * time.Second

func main() {
	p := program{now: time.Now, width: terminalWidth(), stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run(os.Args[1:]))
}

// program is tcpstuck with what surrounds it.
type program struct {
	now            func() time.Time
	width          int // of the terminal, in characters
	stdout, stderr io.Writer

	client *api.Client
	output string
}

// exit is what kingpin wants to leave with after --help or --version.
type exit int

func (p *program) run(args []string) (code int) {
	defer func() {
		switch left := recover().(type) {
		case nil:
		case exit:
			code = int(left)
		default:
			panic(left)
		}
	}()
	app := cli.New("tcpstuck", version, "Which TCP connections of this node are stuck, why, and what to do.")
	app.UsageWriter(p.stdout).ErrorWriter(p.stderr).Terminate(func(code int) { panic(exit(code)) })
	app.PreAction(commandIsGiven(app))
	socket := app.Flag("socket", "Unix socket of the agent.").Default("/run/tcpstuck/agent.sock").String()
	app.Flag("output", "How to show it: table (text), wide (a line for each flow; dump alone), json or jsonl.").
		Short('o').Default("table").EnumVar(&p.output, "table", "wide", "json", "jsonl")

	dump := app.Command("dump", "List what is stuck. Exit code 0: nothing, 1: something, 2: error.")
	all := dump.Flag("all", "Also list what is counted only, and what has ended recently.").Bool()
	stale := dump.Flag("stale", "List the conntrack entries that outlived their flows instead. Exit code 0 or 2.").Bool()
	explain := app.Command("explain", "Tell one flow's story, the evidence, and what to do.")
	id := explain.Arg("id", "Id of the flow, or a beginning that no other id has.").Required().String()
	audit := app.Command("audit", "List the connections that would hang if their peer vanished now, by workload and peer, and what would bound them. Exit code 0 or 2.")
	cli.Environment(app)

	command, err := app.Parse(args)
	if err != nil {
		return p.fail(fmt.Errorf("%w (see --help)", err))
	}
	p.client = api.NewClient(*socket)
	defer p.client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch {
	case command == explain.FullCommand():
		return p.explain(ctx, *id)
	case command == audit.FullCommand():
		return p.audit(ctx)
	case *stale:
		return p.dumpStale(ctx)
	}
	return p.dump(ctx, *all)
}

// commandIsGiven makes the lack of a command an error; kingpin alone would
// print its help and leave with success.
func commandIsGiven(app *kingpin.Application) kingpin.Action {
	return func(c *kingpin.ParseContext) error {
		for _, e := range c.Elements {
			if e.Clause == app.HelpFlag || e.Clause == app.VersionFlag {
				return nil
			}
		}
		if c.SelectedCommand == nil && c.EOL() {
			return errors.New("say what to do: dump, explain ID or audit")
		}
		return nil
	}
}

func (p *program) fail(err error) int {
	_, _ = fmt.Fprintln(p.stderr, "tcpstuck:", err)
	return exitError
}
