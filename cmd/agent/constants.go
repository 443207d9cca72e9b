package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// giveBackConstants takes the program's constants out of this process's memory. The
// start, or a storm, reads constants all over the program, and the kernel maps 16 pages
// around each of them. What is needed again comes back from the page cache, or from the
// file.
func giveBackConstants() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("find the own program: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("read the own memory map: %w", err)
	}
	defer maps.Close()
	for _, r := range constants(maps, program) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, r.begin, r.end-r.begin, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("give constants back: %w", errno)
		}
	}
	return nil
}

// region is a range of addresses; the end is outside.
type region struct{ begin, end uintptr }

// constants returns the regions of a memory map (proc_pid_maps(5)) that a program's
// file backs and that nobody may write or execute: a debugger leaves no mark there.
func constants(maps io.Reader, program string) []region {
	var found []region
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) != 6 || fields[1] != "r--p" || fields[5] != program {
			continue
		}
		var r region
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &r.begin, &r.end); err == nil {
			found = append(found, r)
		}
	}
	return found
}
