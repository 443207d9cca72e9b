package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dismiss takes the regions of constants out of this process's memory. The start, or a
// storm, reads constants all over the program, and the kernel maps 16 pages around each
// of them. What is needed again comes back from the page cache, or from the file.
func dismiss(regions []region) {
	for _, r := range regions {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, r.begin, r.end-r.begin, unix.MADV_DONTNEED) // without it, they stay
	}
}

// ownConstants returns the regions of this program's constants. They stay the same.
func ownConstants() ([]region, error) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil, fmt.Errorf("read this process's memory map: %w", err)
	}
	defer maps.Close()
	return constants(maps, program), nil
}

// region is a range of addresses; the end is outside.
type region struct{ begin, end uintptr }

// constants returns the read-only regions of the program's file in a memory map (smaps,
// proc_pid_smaps(5)). It leaves out a region with an anonymous page: a linker or a debugger
// has written to it, and that would be lost.
func constants(maps io.Reader, program string) []region {
	var found []region
	var at *region
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			at = nil
			var r region
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &r.begin, &r.end); err == nil && fields[1] == "r--p" && fields[len(fields)-1] == program {
				at = &r
			}
		case at == nil || len(fields) < 2:
		case (fields[0] == "Anonymous:" || fields[0] == "Swap:") && fields[1] != "0":
			at = nil
		case fields[0] == "VmFlags:":
			found = append(found, *at)
			at = nil
		}
	}
	return found
}
