package main

import (
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// storm is a node on which so many flows are stuck.
func storm(flows int) *flowtest.Reader {
	r := &flowtest.Reader{Sources: flowtest.Health()}
	kinds := flowtest.Findings()
	for n := range flows {
		f := kinds[n%len(kinds)]
		f.ID += flow.ID(n) << 16
		f.Local.Addr = netip.AddrPortFrom(f.Local.Addr.Addr(), uint16(1024+n))
		f.GivesUp.At = f.GivesUp.At.Add(time.Duration(n*7919%flows) * time.Millisecond)
		r.Live = append(r.Live, f)
	}
	return r
}

// recorded serves what an agent in a storm answers, and computes nothing.
func recorded(b *testing.B) (socket string) {
	b.Helper()
	r, answers := storm(15_000), map[string]string{}
	for _, rows := range []string{"true", "false"} {
		answers[rows] = answerOf(b, r, "rows="+rows)
	}
	return says(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, answers[r.URL.Query().Get("rows")])
	})
}

// BenchmarkDump measures the program alone: its agent gives the answer of a storm
// at once. CPU time says more than the clock, because the program reads while a
// real agent still composes.
func BenchmarkDump(b *testing.B) {
	socket := recorded(b)
	for _, output := range []string{"table", "wide", "json", "jsonl"} {
		b.Run(output, func(b *testing.B) {
			b.ReportAllocs()
			var before, after syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			for b.Loop() {
				var errs bytes.Buffer
				p := program{now: flowtest.Now, width: 100, stdout: io.Discard, stderr: &errs}
				if code := p.run([]string{"dump", "--socket", socket, "-o", output}); code != exitStuck {
					b.Fatal(code, errs.String())
				}
			}
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
			b.ReportMetric(float64(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano())/1e6/float64(b.N), "cpu-ms/op")
		})
	}
}
