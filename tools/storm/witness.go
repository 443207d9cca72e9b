package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/cilium/ebpf"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// newWitness attaches a program that remembers what the kernel shows to any
// program, independently of the agent. It comes before the agent: the first
// program on a tracepoint finds everything cold, and pays some 35 ns for those
// behind it. The program that does nothing stands between them: its own code is
// as cold as the agent's.
func newWitness() (func([]string) (string, error), error) {
	c, err := attachComparator(func(o *comparatorObjects) []*ebpf.Program { return []*ebpf.Program{o.Witness, o.Empty} })
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

// testimony is how many timeouts of a namespace the kernel counted, and how
// many of them were shown to a program.
type testimony struct{ counted, shown int }

func (b *bench) testimony() (t testimony, err error) {
	if t.shown, err = b.witness.ask("timeouts"); err != nil {
		return t, err
	}
	err = b.world.net.node.do(func() error {
		self, err := procfs.NewProc(unix.Gettid()) // this thread is in the namespace
		if err != nil {
			return err
		}
		all, err := self.Netstat()
		if err != nil {
			return fmt.Errorf("read the kernel's counters: %w", err)
		}
		if all.TCPTimeouts == nil {
			return errors.New("the kernel does not count timeouts")
		}
		t.counted = int(*all.TCPTimeouts)
		return nil
	})
	return t, err
}

// tellTimeouts says how many of the timeouts since then were shown.
func (b *bench) tellTimeouts(what string, before testimony) error {
	now, err := b.testimony()
	if err != nil {
		return err
	}
	b.report.tell(what, fmt.Sprint(now.counted-before.counted), fmt.Sprintf("%d of them shown to a program", now.shown-before.shown))
	return nil
}

// tellUnseen reports how late flows were reported whose first timeout no program
// was shown, of so many in all.
func (b *bench) tellUnseen(unseen []time.Duration, of int) {
	b.report.atMost("flows with a first timeout that no program saw", 100*float64(len(unseen))/float64(of), 2, "% of them")
	if len(unseen) > 0 {
		b.report.atMost("from that timeout to the event, slowest", ms(slices.Max(unseen)), 1000, "ms")
	}
}

// measureAlone makes the storm without an agent, and reports what the witness saw.
func measureAlone(ctx context.Context, b *bench) error {
	if err := b.world.cut(); err != nil {
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
	if err := b.tellTimeouts("timeouts on the node without an agent", before); err != nil {
		return err
	}
	return b.world.heal(ctx)
}
