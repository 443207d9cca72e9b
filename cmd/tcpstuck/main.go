package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/tcpstuck/tcpstuck/internal/cli"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

var version = "unknown" // the build stamps it

// The exit codes.
const (
	exitOK    = 0 // for dump: nothing is stuck
	exitStuck = 1 // for dump: something is stuck
	exitError = 2 // any error: a wrong command line, a node that did not answer, flows that are not watched
)

// usualSocket is where an agent listens by default.
const usualSocket = "/run/tcpstuck/agent.sock"

// patience is how long an agent may take to answer by default.
const patience = 30 * time.Second

// gcPercent lets garbage lie: the program ends before it matters.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	p := program{now: time.Now, width: terminalWidth(), stdout: os.Stdout, stderr: os.Stderr}
	if isPlugin() {
		os.Exit(p.runPlugin(os.Args[1:], connect))
	}
	os.Exit(p.run(os.Args[1:]))
}

// program is tcpstuck with its environment.
type program struct {
	now            func() time.Time
	width          int // of the terminal, in characters
	stdout, stderr io.Writer

	client *api.Client
	socket string // of the agent; empty: the usual one
	output string
}

// exit is the code with which kingpin would exit after --help or --version.
type exit int

func (p *program) run(args []string) (code int) {
	defer leave(&code)
	app := p.newApp("tcpstuck", "Which TCP connections of this node are stuck, why, and what to do.")
	socket := app.Flag("socket", "Unix socket of the agent.").Default(usualSocket).String()
	timeout := app.Flag("timeout", "How long the agent may take to answer.").Default(patience.String()).Duration()
	c := addCommands(app, "this node")
	cli.Environment(app)
	command, err := c.parse(app, args)
	if err != nil {
		return p.fail(err)
	}
	p.client = api.NewClient(*socket)
	if *socket != usualSocket {
		p.socket = *socket
	}
	defer p.client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	switch command {
	case c.explain:
		return p.explain(ctx, c.id)
	case c.audit:
		return p.audit(ctx)
	}
	return p.dump(ctx, c.flags)
}

// newApp returns a program that neither exits nor writes elsewhere.
func (p *program) newApp(name, help string) *kingpin.Application {
	app := cli.New(name, version, help)
	app.UsageWriter(p.stdout).ErrorWriter(p.stderr).Terminate(func(code int) { panic(exit(code)) })
	app.PreAction(commandIsGiven(app))
	app.Flag("output", "How to show it: table (text), wide (a line for each flow; dump alone), json or jsonl.").
		Short('o').Default("table").EnumVar(&p.output, "table", "wide", "json", "jsonl")
	return app
}

// leave turns kingpin's exit into an exit code.
func leave(code *int) {
	switch left := recover().(type) {
	case nil:
	case exit:
		*code = int(left)
	default:
		panic(left)
	}
}

// commands is the command line after the global flags.
type commands struct {
	dump, explain, audit *kingpin.CmdClause
	flags                dumpFlags
	id                   string
}

func addCommands(app *kingpin.Application, where string) *commands {
	c := &commands{}
	c.dump = app.Command("dump", "List what is stuck. Exit code 0: nothing, 1: something, 2: error, or not all is watched.")
	c.dump.Flag("all", "Also list suppressed flows, and those that ended recently.").BoolVar(&c.flags.all)
	c.dump.Flag("ended", "List ended flows instead: the latest 1,000 of a node, none from before its agent started. Exit code 0 or 2.").BoolVar(&c.flags.ended)
	c.dump.Flag("since", "With --ended: only flows that ended within that time, as 1h or 20m.").DurationVar(&c.flags.since)
	c.dump.Flag("stale", "List the conntrack entries that outlived their flows instead. Exit code 0 or 2.").BoolVar(&c.flags.stale)
	c.dump.Flag("brief", "Without evidence, story and advice.").Hidden().BoolVar(&c.flags.brief)
	c.explain = app.Command("explain", "Explain one flow: its story, the evidence, and what to do.")
	c.explain.Arg("id", "Id of the flow, or a beginning that no other id has.").Required().StringVar(&c.id)
	c.audit = app.Command("audit", "List the connections of "+where+" that would hang if their peer vanished now, by workload and peer, and what would bound them. Exit code 0 or 2.")
	return c
}

func (c *commands) parse(app *kingpin.Application, args []string) (*kingpin.CmdClause, error) {
	command, err := app.Parse(args)
	if err == nil {
		err = c.flags.check()
	}
	if err == nil && command == c.explain.FullCommand() {
		_, err = flow.ParseID(c.id) // a malformed id is no node's fault
	}
	if err != nil {
		return nil, fmt.Errorf("%w (see --help)", err)
	}
	return app.GetCommand(command), nil
}

// commandIsGiven makes a missing command an error; kingpin alone would print its help
// and exit with success.
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
	_, _ = fmt.Fprintln(p.stderr, "tcpstuck:", cli.Line(err))
	return exitError
}
