package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/scenario"
)

// runBase is where the directories of runs are made.
const runBase = "/run"

// list prints every scenario.
func list(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("reproducer list", flag.ContinueOnError)
	format := flags.String("o", "table", "table or json")
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	all := scenario.All()
	switch *format {
	case "json":
		return json.NewEncoder(out).Encode(all)
	case "table":
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, s := range all {
			story := strings.Split(s.Story, "\n")
			fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Expected, story[0])
			for _, line := range story[1:] {
				fmt.Fprintf(w, "\t\t%s\n", line)
			}
		}
		return w.Flush()
	}
	return fmt.Errorf("output %q is none of table, json", *format)
}

// run plays one scenario.
func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("reproducer run", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print the result as one JSON object, and no timeline")
	keep := flags.Bool("keep", false, "leave everything running until interrupted")
	full := flags.Bool("full", false, "wait, a quarter of an hour, until the kernel gives the flow up by its defaults")
	family := flags.String("family", "4", "4, 6 or mapped")
	bin := flags.String("bin", "", "directory of the programs (default: where this one is)")
	var api scenario.API
	flags.StringVar(&api.Kubeconfig, "kubeconfig", "", "for an agent that reads a Kubernetes API, on loopback, in place of the file; see --objects")
	flags.StringVar(&api.Objects, "objects", "", "file that somebody else keeps that API in step with")
	name, err := parseWithName(flags, args)
	if err != nil {
		return err
	}
	s, err := scenario.Find(name)
	if err != nil {
		return err
	}
	if *full {
		if s, err = s.Full(); err != nil {
			return err
		}
	}
	opts, err := options(*bin, *family, out)
	if err != nil {
		return err
	}
	opts.API = api
	if *asJSON {
		opts.Out = io.Discard
	} else {
		fmt.Fprintf(out, "%s\n\nexpected: %s\n\n", s.Story, s.Expected)
	}
	var wait func(*scenario.Lab)
	if *keep {
		wait = func(l *scenario.Lab) {
			fmt.Fprintln(errOut, l.Directions())
			<-ctx.Done()
		}
	}
	r, err := scenario.Run(ctx, opts, s, wait)
	if *asJSON {
		b, encodeErr := r.JSON()
		_, writeErr := out.Write(b)
		err = errors.Join(err, encodeErr, writeErr)
	}
	if err != nil {
		return err
	}
	if !r.OK {
		return errUnexpected
	}
	return nil
}

// demo shows the case that gave the product its name.
func demo(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("reproducer demo", flag.ContinueOnError)
	bin := flags.String("bin", "", "directory of the programs (default: where this one is)")
	if err := parseFlags(flags, args); err != nil {
		return err
	}
	opts, err := options(*bin, "4", out)
	if err != nil {
		return err
	}
	ok, err := scenario.Demo(ctx, opts)
	if err == nil && !ok {
		return errUnexpected
	}
	return err
}

// parseFlags parses flags, and lists them for --help. The caller prints the error, once.
func parseFlags(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(os.Stdout)
		flags.Usage()
	}
	return err
}

// parseWithName parses flags that may stand before and after one name.
func parseWithName(flags *flag.FlagSet, args []string) (string, error) {
	var names []string
	for {
		if err := parseFlags(flags, args); err != nil {
			return "", err
		}
		if flags.NArg() == 0 {
			break
		}
		names, args = append(names, flags.Arg(0)), flags.Args()[1:]
	}
	if len(names) != 1 {
		return "", fmt.Errorf("want one scenario, got %d\n%s", len(names), usage)
	}
	return names[0], nil
}

func options(bin, family string, out io.Writer) (scenario.Options, error) {
	f, err := cluster.ParseFamily(family)
	if err != nil {
		return scenario.Options{}, err
	}
	if os.Geteuid() != 0 {
		return scenario.Options{}, errors.New("making network namespaces needs root")
	}
	if bin == "" {
		self, err := os.Executable()
		if err != nil {
			return scenario.Options{}, fmt.Errorf("find the programs: %w", err)
		}
		bin = filepath.Dir(self)
	}
	return scenario.Options{Bin: bin, Base: runBase, Family: f, Out: out}, nil
}
