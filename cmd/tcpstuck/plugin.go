package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/cli"
	"github.com/tcpstuck/tcpstuck/pkg/kube/agents"
	"github.com/tcpstuck/tcpstuck/pkg/report"
)

// fleet is the agents of a cluster; *agents.Cluster is one.
type fleet interface {
	Agents(ctx context.Context) ([]agents.Agent, error)
	Exec(ctx context.Context, a agents.Agent, command []string, stdout, stderr io.Writer) (int, error)
}

func connect(o agents.Options) (fleet, error) { return agents.Open(o) }

// isPlugin reports whether kubectl has called this program.
func isPlugin() bool {
	return strings.HasPrefix(filepath.Base(os.Args[0]), strings.ReplaceAll(report.Plugin, " ", "-"))
}

// plugin is the program as a plugin of kubectl.
type plugin struct {
	*program
	fleet   fleet
	nodes   []string // to be asked; empty: all
	timeout time.Duration
}

// runPlugin is run for every node of a cluster.
func (p *program) runPlugin(args []string, open func(agents.Options) (fleet, error)) (code int) {
	defer leave(&code)
	app := p.newApp(report.Plugin, "Which TCP connections of a cluster are stuck, why, and what to do. It asks the agent of every node.")
	var o agents.Options
	var nodes []string
	w := &plugin{program: p}
	app.Flag("namespace", "Namespace of the agents.").Short('n').Default("tcpstuck").StringVar(&o.Namespace)
	app.Flag("nodes", "Ask these nodes only, as node-a,node-b; repeatable.").PlaceHolder("NODE").StringsVar(&nodes)
	app.Flag("node-timeout", "How long a node may take to answer.").Default("15s").DurationVar(&w.timeout)
	app.Flag("kubeconfig", "Kubeconfig, in place of $KUBECONFIG and ~/.kube/config.").PlaceHolder("FILE").StringVar(&o.Kubeconfig)
	app.Flag("context", "Context of the kubeconfig, in place of its current one.").StringVar(&o.Context)
	c := addCommands(app, "the cluster")
	cli.Environment(app)
	command, err := c.parse(app, args)
	if err != nil {
		return p.fail(err)
	}
	if w.nodes, err = nodeNames(nodes); err != nil {
		return p.fail(err)
	}
	if w.fleet, err = open(o); err != nil {
		return p.fail(err)
	}
	switch command {
	case c.explain:
		return w.explain(c.id)
	case c.audit:
		return w.audit()
	}
	return w.dump(c.flags)
}

// nodeNames splits lists of nodes. An empty list, which an unset variable makes, is an
// error: it must not mean every node.
func nodeNames(lists []string) ([]string, error) {
	var names []string
	for _, list := range lists {
		named := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
		if len(named) == 0 {
			return nil, fmt.Errorf("--nodes names no node: %q; leave it out to ask every node", list)
		}
		names = append(names, named...)
	}
	return names, nil
}

// command is the command for an agent's pod that does dump with these flags.
func (d dumpFlags) command(brief bool) []string {
	words := []string{"tcpstuck", "dump", "-o", "json"}
	for _, f := range []struct {
		name string
		set  bool
	}{{"--all", d.all}, {"--ended", d.ended}, {"--stale", d.stale}, {"--brief", brief}} {
		if f.set {
			words = append(words, f.name)
		}
	}
	if d.since != 0 {
		words = append(words, fmt.Sprintf("--since=%v", d.since))
	}
	return words
}
