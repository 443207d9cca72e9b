package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The ways in which two programs talk, as people compare them. The first byte of
// a connection says which.
const (
	talkStream  = 's' // one side sends all it can
	talkAsk     = 'r' // a request, an answer, and so on
	talkConnect = 'c' // connect, a request, an answer, and the server closes
)

const (
	blockBytes = 64 << 10
	askBytes   = 64
)

// newTalker is a program that serves or talks, on one processor and only with
// system calls, so that it measures the kernel's work.
func newTalker() (func([]string) (string, error), error) { return obeyTalker, nil }

// obeyTalker understands
//
//	cpu N                      run on this processor alone
//	serve ADDRESS:PORT         answer callers, one after the other
//	KIND ADDRESS:PORT MILLIS   talk so long; it answers how much it did
func obeyTalker(args []string) (string, error) {
	switch {
	case len(args) == 2 && args[0] == "cpu":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return "", err
		}
		return "pinned", pin(n)
	case len(args) == 2 && args[0] == "serve":
		to, err := netip.ParseAddrPort(args[1])
		if err != nil {
			return "", err
		}
		return "serving", serve(to)
	case len(args) == 3 && len(args[0]) == 1:
		to, err1 := netip.ParseAddrPort(args[1])
		millis, err2 := strconv.Atoi(args[2])
		if err := errors.Join(err1, err2); err != nil {
			return "", err
		}
		done, err := talk(args[0][0], to, time.Duration(millis)*time.Millisecond)
		return strconv.Itoa(done), err
	}
	return "", fmt.Errorf("what is %q?", args)
}

// pin keeps every thread of the program on the nth processor that it may use; if
// there are fewer, on the last.
func pin(n int) error {
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return fmt.Errorf("read the processors: %w", err)
	}
	for cpu := 0; may.Count() > 0; cpu++ {
		if !may.IsSet(cpu) {
			continue
		}
		if n == 0 || may.Count() == 1 {
			one.Set(cpu)
			break
		}
		may.Clear(cpu)
		n--
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list the threads: %w", err)
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &one); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("choose a processor: %w", err)
		}
	}
	return nil
}

// talk talks for a time and returns bytes, requests or connections.
func talk(kind byte, to netip.AddrPort, d time.Duration) (int, error) {
	step, end, err := talking(kind, to)
	if err != nil {
		return 0, err
	}
	defer end()
	done, began := 0, time.Now()
	for time.Since(began) < d {
		n, err := step()
		if err != nil {
			return 0, err
		}
		done += n
	}
	return done, nil
}

// talking returns a function that does a step of the talk and returns its amount.
func talking(kind byte, to netip.AddrPort) (step func() (int, error), end func(), err error) {
	if kind == talkConnect {
		return func() (int, error) { return 1, connectOnce(to) }, func() {}, nil
	}
	fd, err := connectTo(to)
	if err != nil {
		return nil, nil, err
	}
	end = func() { _ = unix.Close(fd) }
	block, answer := make([]byte, blockBytes), make([]byte, askBytes)
	block[0] = kind
	if kind == talkStream {
		return func() (int, error) { return blockBytes, writeAll(fd, block) }, end, nil
	}
	return func() (int, error) { return 1, errors.Join(writeAll(fd, block[:askBytes]), readAll(fd, answer)) }, end, nil
}

// connectOnce connects, asks, reads the answer and the end.
func connectOnce(to netip.AddrPort) error {
	fd, err := connectTo(to)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request := make([]byte, askBytes)
	request[0] = talkConnect
	if err := errors.Join(writeAll(fd, request), readAll(fd, request)); err != nil {
		return err
	}
	if n, err := read(fd, request); n != 0 || err != nil {
		return fmt.Errorf("read %d bytes where the end should be: %w", n, err)
	}
	return nil
}
