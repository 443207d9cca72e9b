package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// comparator is what the agent is measured against: a record for each
// retransmission, and a reader that counts them and does nothing else.
type comparator struct {
	objects comparatorObjects
	links   []link.Link // kept here, because the garbage collector would detach them
	read    atomic.Uint64
}

func newComparator() (func([]string) (string, error), error) {
	c, err := attachComparator(func(o *comparatorObjects) []*ebpf.Program { return []*ebpf.Program{o.RecordEach} })
	if err != nil {
		return nil, err
	}
	ring, err := ringbuf.NewReader(c.objects.Events)
	if err != nil {
		return nil, fmt.Errorf("open the comparator's ring buffer: %w", err)
	}
	go c.count(ring)
	return c.obey, nil
}

func attachComparator(pick func(*comparatorObjects) []*ebpf.Program) (*comparator, error) {
	c := &comparator{}
	if err := loadComparatorObjects(&c.objects, nil); err != nil {
		return nil, fmt.Errorf("load the comparator: %w", err)
	}
	for _, p := range pick(&c.objects) {
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return nil, fmt.Errorf("attach the comparator: %w", err)
		}
		c.links = append(c.links, l)
	}
	return c, nil
}

func (c *comparator) count(ring *ringbuf.Reader) {
	var r ringbuf.Record
	for {
		if err := ring.ReadInto(&r); errors.Is(err, os.ErrClosed) {
			return
		}
		c.read.Add(1)
	}
}

// obey understands "scope INODE INODE", of the network namespaces whose
// retransmissions count, and answers with how many records it read and lost.
func (c *comparator) obey(args []string) (string, error) {
	if len(args) == 3 && args[0] == "scope" {
		node, err1 := strconv.ParseUint(args[1], 10, 32)
		backends, err2 := strconv.ParseUint(args[2], 10, 32)
		if err := errors.Join(err1, err2, c.objects.NodeNetns.Set(uint32(node)), c.objects.BackendsNetns.Set(uint32(backends))); err != nil {
			return "", err
		}
	}
	var lost uint64
	if err := c.objects.Lost.Get(&lost); err != nil {
		return "", err
	}
	return fmt.Sprint(c.read.Load(), lost), nil
}

// startComparator starts a comparator that watches the network.
func startComparator(n *network) (*child, error) {
	node, err1 := n.node.inode()
	backends, err2 := n.backends.inode()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	c, err := newChild(n.node, "comparator")
	if err != nil {
		return nil, err
	}
	if _, err := c.tell("scope %d %d", node, backends); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

// records asks a comparator how many records it has read and lost.
func records(c *child) (read, lost int, err error) {
	answer, err := c.tell("count")
	if err != nil {
		return 0, 0, err
	}
	first, second, _ := strings.Cut(answer, " ")
	read, err1 := strconv.Atoi(first)
	lost, err2 := strconv.Atoi(second)
	return read, lost, errors.Join(err1, err2)
}
