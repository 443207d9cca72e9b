package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConstantsOfAMemoryMap(t *testing.T) {
	const maps = `00400000-01200000 r-xp 00000000 fe:00 31 /usr/bin/tcpstuck-agent
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
01200000-02100000 r--p 00e00000 fe:00 31 /usr/bin/tcpstuck-agent
Size:              15360 kB
Anonymous:             0 kB
AnonHugePages:         0 kB
Swap:                  0 kB
VmFlags: rd mr mw me
02100000-02180000 r--p 01d00000 fe:00 31 /usr/bin/tcpstuck-agent
Anonymous:             4 kB
Swap:                  0 kB
VmFlags: rd mr mw me ac
02180000-02190000 r--p 01d80000 fe:00 31 /usr/bin/tcpstuck-agent
Anonymous:             0 kB
Swap:                 64 kB
VmFlags: rd mr mw me ac
02190000-02200000 rw-p 01d90000 fe:00 31 /usr/bin/tcpstuck-agent
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd wr mr mw me ac
7f0000000000-7f0000010000 r--p 00000000 fe:00 77 /usr/lib/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me
7f0000020000-7f0000030000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me
`
	want := []region{{0x1200000, 0x2100000}}
	if diff := cmp.Diff(want, constants(strings.NewReader(maps), "/usr/bin/tcpstuck-agent"), cmp.AllowUnexported(region{})); diff != "" {
		t.Errorf("regions (-want +got):\n%s", diff)
	}
}

func TestConstantsAreGivenBack(t *testing.T) {
	own, err := ownConstants()
	if err != nil {
		t.Fatal(err)
	}
	before := resident(t, own)
	dismiss(own)
	if after := resident(t, own); before-after < 512 {
		t.Errorf("%d kB of the program's constants in memory, %d kB before", after, before)
	}
}

// resident returns how many kB of these regions are in memory. The program's file may
// lie in memory itself, as in the guests of the kernel tests.
func resident(t *testing.T, regions []region) (sum int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range regions {
		_, rest, _ := strings.Cut(string(maps), fmt.Sprintf("%08x-%08x ", r.begin, r.end))
		_, rest, _ = strings.Cut(rest, "\nRss:")
		n, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
