// Command kernels runs the privileged tests and some scenarios on other
// kernels: Debian's, each in a virtual machine of its own. It needs neither
// KVM nor root, but apt-get, qemu-system-x86_64 and a static busybox.
//
//	go run ./tools/kernels [-kernels "6.1 6.12"] [-table docs/kernels.md]
//	go run ./tools/kernels -exec 6.1 PROGRAM [ARGUMENT...]
//
// The second form runs one static program in a guest, passes on what it prints
// and ends as it does; so it fits `go test -exec`.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/tools/internal/command"
)

func main() { command.Main("kernels", run) }

// options are what both forms of the command share.
type options struct {
	cache   string        // where kernels are kept
	timeout time.Duration // for one guest
	memory  string        // of one guest, as qemu takes it
}

// run runs the command and returns its exit status: 1 where a result is not
// what it has to be.
func run(ctx context.Context, args []string, out io.Writer) (int, error) {
	flags := flag.NewFlagSet("kernels", flag.ContinueOnError)
	var o options
	flags.StringVar(&o.cache, "cache", filepath.Join(".tools", "kernels"), "where kernels are kept")
	flags.DurationVar(&o.timeout, "timeout", 20*time.Minute, "for one guest")
	flags.StringVar(&o.memory, "memory", "1536M", "of one guest")
	names := flags.String("kernels", "6.1 6.12", "parted by blanks: "+known())
	table := flags.String("table", "", "a document whose table is replaced")
	parallel := flags.Int("parallel", 2, "how many guests to run at once")
	exec := flags.String("exec", "", "run one program on this kernel instead")
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	if *exec != "" {
		return execute(ctx, o, *exec, flags.Args(), out)
	}
	results, err := runPlan(ctx, o, strings.Fields(*names), *parallel, out)
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(out, markdown(results)); err != nil {
		return 0, err
	}
	if *table != "" {
		if err := writeTable(*table, results); err != nil {
			return 0, err
		}
	}
	return conclude(out, results), nil
}

// execute runs one program on one kernel and returns its exit status.
func execute(ctx context.Context, o options, name string, command []string, out io.Writer) (int, error) {
	if len(command) == 0 {
		return 0, errors.New("-exec wants a program")
	}
	k, err := fetch(ctx, o.cache, name)
	if err != nil {
		return 0, err
	}
	program := filepath.Base(command[0])
	j := job{name: program, args: append([]string{program}, command[1:]...)}
	said, err := runGuest(ctx, o, k, map[string]string{program: command[0]}, []job{j})
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(out, said[program].text); err != nil {
		return 0, err
	}
	return said[program].status, nil
}
