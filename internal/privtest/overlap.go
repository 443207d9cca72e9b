package privtest

import (
	"flag"
	"runtime"
	"strconv"
)

// Overlap runs n parallel tests at once for each processor, unless -test.parallel says
// how many: tests that mostly wait for the kernel's timers leave the processors idle.
// TestMain calls it before it runs the tests.
func Overlap(n int) {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		_ = flag.Set("test.parallel", strconv.Itoa(n*runtime.GOMAXPROCS(0))) // a number is never refused
	}
}
