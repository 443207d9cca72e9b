package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// Widths that read well; a wider terminal does not make longer lines.
const (
	minWidth = 80
	maxWidth = 120
)

// terminalWidth returns how wide lines may be, in characters.
func terminalWidth() int {
	size, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return maxWidth
	}
	return min(max(int(size.Col), minWidth), maxWidth)
}
