// Command storm makes thousands of sockets stick at once and measures the agent
// among them, beside the tools that people use instead: everything among 15,000,
// and whether 100,000 fit. If a budget is missed, it names it and exits with 1.
// It needs root, bin/tcpstuck-agent and bin/tcpstuck.
//
//	go run ./tools/storm [-bin bin] [-size 15000,100000] [-doc docs/performance.md]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	exitMissed = 1
	exitError  = 2
)

// insideRole is this program in its own mount namespace, with a file system
// that dies with it.
const insideRole = "inside"

func main() {
	role := os.Getenv(roleVariable)
	var err error
	missed := false
	switch role {
	case "":
		err = enclose(os.Args[1:])
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			os.Exit(exit.ExitCode()) // it has said why
		}
	case insideRole:
		missed, err = inside(os.Args[1:], os.Stdout)
	default:
		err = playRole(role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
		os.Exit(exitError)
	}
	if missed {
		os.Exit(exitMissed)
	}
}

// enclose runs this program again in a mount namespace of its own, and waits for
// its end, also after a signal to stop, which it passes on.
func enclose(args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, os.Interrupt, syscall.SIGTERM)
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+insideRole)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("enter a mount namespace: %w", err)
	}
	go func() {
		for s := range ignored {
			_ = cmd.Process.Signal(s)
		}
	}()
	return cmd.Wait()
}

// scratch is where the run keeps its files: a file system of its own.
const scratch = "/mnt"

// inside runs the bench and reports whether a budget was missed.
func inside(args []string, out io.Writer) (missed bool, err error) {
	flags := flag.NewFlagSet("storm", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "where the agent and the command are")
	doc := flags.String("doc", "", "page to write the table into")
	which := flags.String("size", fmt.Sprintf("%d,%d", full.sockets, large.sockets), "how many sockets stick")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	sizes, err := parseSizes(*which)
	if err != nil {
		return false, err
	}
	if err := have(besides(sizes)...); err != nil {
		return false, err
	}
	if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, ""); err != nil {
		return false, fmt.Errorf("mount scratch space: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	path, err := filepath.Abs(*bin)
	if err != nil {
		return false, err
	}
	r := &report{live: out}
	began := time.Now()
	for _, s := range sizes {
		b := &bench{size: s, bin: path, dir: scratch, report: r}
		if err := b.measure(ctx); err != nil {
			return false, err
		}
	}
	_, _ = fmt.Fprintln(out)
	if err := r.table(out); err != nil {
		return false, err
	}
	_, _ = fmt.Fprintf(out, "\nin %.0f s\n", time.Since(began).Seconds())
	if *doc != "" {
		if err := writePage(*doc, r); err != nil {
			return false, err
		}
	}
	for _, u := range r.undecided() {
		_, _ = fmt.Fprintln(out, "not decided:", u)
	}
	for _, m := range r.missed() {
		_, _ = fmt.Fprintln(out, "missed:", m)
		missed = true
	}
	return missed, nil
}
