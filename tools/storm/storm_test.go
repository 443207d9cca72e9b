package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
	"github.com/tcpstuck/tcpstuck/internal/progtest"
)

// TestMain plays the roles of the bench's own processes.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := playRole(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitError)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// TestSmallStorm makes a storm of 200 sockets and runs every measurement, beside a storm of
// 240 that only has to fit. It does not judge what a busy machine can spoil.
func TestSmallStorm(t *testing.T) {
	privtest.Require(t)
	bin := t.TempDir()
	for program, source := range map[string]string{"tcpstuck-agent": "cmd/agent", "tcpstuck": "cmd/tcpstuck"} {
		if err := progtest.Build("../..", source, bin+"/"+program, progtest.Small); err != nil {
			t.Fatal(err)
		}
	}
	sizes := map[string]size{
		"everything": {
			sockets: 200, processes: 1, backends: 4, patience: 40 * time.Second, asks: 1,
			entries: 1000, singles: 5, pairs: 1, window: time.Second, idle: time.Second, traffic: traffic{window: 20 * time.Millisecond, least: 2, weighed: 300 * time.Millisecond},
		},
		"whether it fits": {sockets: 240, processes: 3, backends: 6, patience: 40 * time.Second, asks: 1},
	}
	var all []row
	var mu sync.Mutex
	t.Run("sizes", func(t *testing.T) {
		for name, s := range sizes {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
				defer cancel()
				r := &report{live: t.Output()}
				b := &bench{size: s, bin: bin, dir: t.TempDir(), report: r}
				if err := b.measure(ctx); err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, r.rows...)
			})
		}
	})
	rows := map[string]row{}
	for _, r := range all {
		rows[r.what] = r
	}
	for what, want := range map[string]string{
		"flows found and listed":                                           "200",
		"flows reported by an event":                                       "200",
		"flows that are reported as stuck after that":                      "0",
		"flows that recover in the storm: events":                          "5",
		"flows found and listed, 240 sockets":                              "240",
		"flows reported by an event, 240 sockets":                          "240",
		"events dropped, 240 sockets":                                      "0",
		"events dropped":                                                   "0",
		"idle flows listed after their backend's removal":                  "5",
		"first timeout, backend known to be deleted, to its event: events": "5",
		"deadline of a flow to its event: events":                          "5",
		"flows found and listed, ring buffer of one page":                  "200",
		"flows reported by an event, ring buffer of one page":              "200",
	} {
		if got := rows[what].measured; got != want {
			t.Errorf("%s: %q, want %s", what, got, want)
		}
	}
	if lost := rows["records lost, ring buffer of one page"].measured; lost == "0" || lost == "" {
		t.Errorf("a ring buffer of one page lost %q records: too many fit into it", lost)
	}
	if beside := rows["timeouts on the node meanwhile"].beside; !regexp.MustCompile(`^[1-9]\d* of them shown`).MatchString(beside) {
		t.Errorf("the witness was shown %q timeouts", beside)
	}
	if calling := rows["the call of a kernel program that does nothing"]; !strings.HasSuffix(calling.measured, " ns") || strings.HasPrefix(calling.measured, "0 ") {
		t.Errorf("a program that does nothing costs %q", calling.measured)
	}
	for what, unit := range map[string]string{"throughput of a stream": "MB a second of CPU", "requests and answers": "a second of CPU", "connections with a request": "a second of CPU"} {
		for _, road := range []string{"loopback", "veth"} {
			if got := rows[what+" over "+road+", with the agent"].measured; !strings.HasSuffix(got, " "+unit) || strings.HasPrefix(got, "0 ") {
				t.Errorf("%s over %s: %q", what, road, got)
			}
		}
	}
	for _, r := range all {
		if strings.Contains(r.measured, "NaN") || strings.Contains(r.ratio, "NaN") {
			t.Errorf("%s: %s, ratio %s", r.what, r.measured, r.ratio)
		}
	}
}
