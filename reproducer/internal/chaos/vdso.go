package chaos

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// wallClock is the time of day that only one process reads. The machine's clock stays: the
// process's own copy of the vDSO gets a clock_gettime that asks the kernel and adds to
// CLOCK_REALTIME. A step by NTP or an administrator changes only that, too: timers and
// CLOCK_MONOTONIC continue.
type wallClock struct {
	process interface{ Signal(os.Signal) error }
	pid     int
	at      int64 // of the function, in the process's memory
	end     int64
}

// errNoVDSO: this machine's vDSO cannot be replaced here.
var errNoVDSO = errors.New("clocks are stepped on amd64 alone")

// stepped returns the machine code of a clock_gettime for amd64 that adds
// seconds to CLOCK_REALTIME.
func stepped(seconds int32) []byte {
	code := []byte{
		0xb8, 0xe4, 0x00, 0x00, 0x00, // mov eax, SYS_clock_gettime
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi: CLOCK_REALTIME is 0
		0x75, 0x07, // jnz over the addition
		0x48, 0x81, 0x06, // add qword ptr [rsi], the seconds
	}
	code = binary.LittleEndian.AppendUint32(code, uint32(seconds))
	return append(code, 0xc3) // ret
}

func (a *agent) wallClock() (*wallClock, error) {
	if runtime.GOARCH != "amd64" {
		return nil, errNoVDSO
	}
	w := &wallClock{process: a, pid: a.PID()}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", w.pid))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(maps)) {
		if fields := strings.Fields(line); len(fields) == 6 && fields[5] == "[vdso]" {
			return w, w.find(fields[0])
		}
	}
	return nil, errNoVDSO
}

// find looks for clock_gettime in the vDSO that lies at a range of addresses.
func (w *wallClock) find(addresses string) error {
	from, to, _ := strings.Cut(addresses, "-")
	start, err := strconv.ParseInt(from, 16, 64)
	if err != nil {
		return fmt.Errorf("read maps: %w", err)
	}
	if w.end, err = strconv.ParseInt(to, 16, 64); err != nil {
		return fmt.Errorf("read maps: %w", err)
	}
	image := make([]byte, w.end-start)
	if err := w.memory(func(m *os.File) error { _, err := m.ReadAt(image, start); return err }); err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return fmt.Errorf("read vDSO: %w", err)
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("read vDSO: %w", err)
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			w.at = start + int64(s.Value)
			return nil
		}
	}
	return errNoVDSO
}

// step shifts the process's clock by so many seconds from the machine's.
func (w *wallClock) step(ctx context.Context, seconds int32) error {
	return await(ctx, func() (bool, error) {
		if err := w.process.Signal(syscall.SIGSTOP); err != nil {
			return false, err
		}
		stopped, err := w.outside()
		if err == nil && stopped {
			err = w.memory(func(m *os.File) error { _, err := m.WriteAt(stepped(seconds), w.at); return err })
		}
		return stopped, errors.Join(err, w.process.Signal(syscall.SIGCONT))
	})
}

// outside waits until the process has stopped, and reports whether none of
// its threads is within the vDSO.
func (w *wallClock) outside() (bool, error) {
	for range 100 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.pid))
		if err != nil {
			return false, err
		}
		if _, rest, _ := strings.Cut(string(status), ") "); strings.HasPrefix(rest, "T") {
			break
		}
		<-time.After(time.Millisecond)
	}
	calls, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", w.pid))
	if err != nil {
		return false, err
	}
	for _, path := range calls {
		b, err := os.ReadFile(path)
		if err != nil {
			return false, err
		}
		fields := strings.Fields(string(b))
		pc, err := strconv.ParseInt(strings.TrimPrefix(fields[len(fields)-1], "0x"), 16, 64)
		if err != nil || pc >= w.at && pc < w.end {
			return false, nil //nolint:nilerr // it still runs, or it is in the vDSO
		}
	}
	return true, nil
}

func (w *wallClock) memory(use func(*os.File) error) error {
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", w.pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer mem.Close()
	if err := use(mem); err != nil {
		return fmt.Errorf("reach the memory of process %d: %w", w.pid, err)
	}
	return nil
}
