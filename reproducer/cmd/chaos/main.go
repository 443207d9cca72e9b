// Command chaos does to the agent what happens to programs on real nodes, and checks
// that it loses nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"syscall"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/chaos"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"
)

// Exit codes.
const (
	exitLost  = 1 // a fault cost something
	exitError = 2 // the run could not be played to its end
)

// runBase is where the directory of a run is made.
const runBase = "/run"

// init keeps the main goroutine on the process's first thread: the threads of
// network namespaces end, and that one cannot.
func init() { runtime.LockOSThread() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := dispatch(ctx, os.Args[1:], os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(exitError)
	case failed > 0:
		os.Exit(exitLost)
	}
}

// dispatch runs the command or, started by itself, a part of a fault.
func dispatch(ctx context.Context, args []string, out io.Writer) (failed int, err error) {
	if len(args) > 1 && args[0] == "trapped" {
		return 0, chaos.Trapped(args[1:])
	}
	if len(args) > 1 && args[0] == "crowd" {
		return 0, crowd(ctx, args[1])
	}
	if len(args) > 2 && args[0] == "flood" {
		return 0, chaos.Attack(ctx, args[1], args[2:])
	}
	return play(ctx, args, out)
}

func crowd(ctx context.Context, arg string) error {
	n, err := strconv.Atoi(arg)
	if err != nil {
		return fmt.Errorf("number in the crowd: %w", err)
	}
	begin := make(chan os.Signal, 1)
	signal.Notify(begin, syscall.SIGHUP)
	ids, err := os.OpenFile(namespace.RecordFile, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer ids.Close()
	return chaos.JoinCrowd(ctx, n, ids, begin)
}

func play(ctx context.Context, args []string, out io.Writer) (int, error) {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	which := flags.String("run", ".", "play the faults whose name this regular expression matches")
	storm := flags.Int("storm", 3000, "how many connections hang all along")
	bin := flags.String("bin", "", "directory of the programs (default: where this one is)")
	list := flags.Bool("list", false, "list the faults, and play none")
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	match, err := regexp.Compile(*which)
	if err != nil {
		return 0, fmt.Errorf("-run: %w", err)
	}
	var faults []chaos.Fault
	for _, f := range chaos.All() {
		if match.MatchString(f.Name) {
			faults = append(faults, f)
		}
	}
	if *list {
		for _, f := range faults {
			fmt.Fprintf(out, "%s: %s\n", f.Name, f.Story)
		}
		return 0, nil
	}
	if len(faults) == 0 {
		return 0, errors.New("-run matches no fault")
	}
	if os.Geteuid() != 0 {
		return 0, errors.New("making network namespaces needs root")
	}
	if *bin == "" {
		self, err := os.Executable()
		if err != nil {
			return 0, fmt.Errorf("find the programs: %w", err)
		}
		*bin = filepath.Dir(self)
	}
	return chaos.Run(ctx, chaos.Options{Bin: *bin, Base: runBase, Storm: *storm, Out: out}, faults)
}
