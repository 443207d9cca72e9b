package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
)

// newWitness attaches a program that remembers what the kernel shows to any
// program, whatever the agent makes of it. It comes before the agent: whatever
// is first on a tracepoint finds everything cold, and pays for those behind it
// some 35 ns.
func newWitness() (func([]string) (string, error), error) {
	c, err := attachComparator(func(o *comparatorObjects) []*ebpf.Program { return []*ebpf.Program{o.Witness} })
	if err != nil {
		return nil, err
	}
	return c.testify, nil
}

// testify understands
//
//	scope INODE          the network namespace to watch
//	timeouts             how many were shown there
//	first ADDRESS PORT   the first timeout that was shown of a flow, 0: none
func (c *comparator) testify(args []string) (string, error) {
	switch {
	case len(args) == 2 && args[0] == "scope":
		inode, err := strconv.ParseUint(args[1], 10, 32)
		if err != nil {
			return "", err
		}
		return "watching", c.objects.NodeNetns.Set(uint32(inode))
	case len(args) == 1 && args[0] == "timeouts":
		var n uint64
		err := c.objects.TimeoutsShown.Get(&n)
		return fmt.Sprint(n), err
	case len(args) == 3 && args[0] == "first":
		address, err1 := netip.ParseAddr(args[1])
		port, err2 := strconv.ParseUint(args[2], 10, 16)
		if err := errors.Join(err1, err2); err != nil {
			return "", err
		}
		return c.first(address, uint32(port))
	}
	return "", fmt.Errorf("what is %q?", args)
}

func (c *comparator) first(address netip.Addr, port uint32) (string, error) {
	bytes := address.As4()
	var n uint32
	err := c.objects.FirstTimeouts.Lookup(comparatorConnection{Address: binary.NativeEndian.Uint32(bytes[:]), Port: port}, &n)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return "0", nil
	}
	return fmt.Sprint(n), err
}

// startWitness starts a witness of a namespace.
func startWitness(ns *namespace) (*child, error) {
	inode, err := ns.inode()
	if err != nil {
		return nil, err
	}
	c, err := newChild(ns, "witness")
	if err != nil {
		return nil, err
	}
	if _, err := c.tell("scope %d", inode); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

// ask returns the number that a child answers.
func (c *child) ask(format string, args ...any) (int, error) {
	answer, err := c.tell(format, args...)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(answer)
}

// testimony is how many timeouts of a namespace the kernel counted, and how
// many of them were shown to a program.
type testimony struct{ counted, shown int }

func (b *bench) testimony() (t testimony, err error) {
	if t.shown, err = b.witness.ask("timeouts"); err != nil {
		return t, err
	}
	err = b.net.node.do(func() error {
		t.counted, err = extended("TCPTimeouts")
		return err
	})
	return t, err
}

// tellUnseen says what no program was shown while flows stuck alone.
func (b *bench) tellUnseen(before testimony, unseen []time.Duration) error {
	now, err := b.testimony()
	if err != nil {
		return err
	}
	b.report.tell("timeouts on the node meanwhile", fmt.Sprint(now.counted-before.counted), fmt.Sprintf("%d of them shown to a program", now.shown-before.shown))
	of := float64(3 * b.size.singles)
	b.report.atMost("flows whose first timeout no program was shown", 100*float64(len(unseen))/of, 2, "% of them")
	if len(unseen) > 0 {
		b.report.atMost("from that timeout to the event, slowest", ms(slices.Max(unseen)), 1000, "ms")
	}
	return nil
}

// measureAlone makes the storm without an agent, and asks the witness.
func (b *bench) measureAlone(ctx context.Context) error {
	if err := b.begin(); err != nil {
		return err
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	before, err := b.testimony()
	if err != nil {
		return err
	}
	if err := pause(ctx, b.size.window); err != nil {
		return err
	}
	now, err := b.testimony()
	if err != nil {
		return err
	}
	b.report.tell("timeouts on the node without an agent", fmt.Sprint(now.counted-before.counted), fmt.Sprintf("%d of them shown to a program", now.shown-before.shown))
	return b.heal(ctx)
}

// extended reads a counter of the calling thread's namespace, as nstat does.
func extended(name string) (int, error) {
	text, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		return 0, fmt.Errorf("read the kernel's counters: %w", err)
	}
	names, rest, _ := strings.Cut(string(text), "\n")
	values, _, _ := strings.Cut(rest, "\n")
	all := strings.Fields(values)
	for i, field := range strings.Fields(names) {
		if field == name && i < len(all) {
			return strconv.Atoi(all[i])
		}
	}
	return 0, fmt.Errorf("the kernel has no counter %s", name)
}
