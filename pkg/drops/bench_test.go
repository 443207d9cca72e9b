package drops

import (
	"net"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// BenchmarkDrop compares what a dropped segment costs in the kernel, by its own statistics: with a
// program that does nothing, with the watcher while it watches nothing, and with it armed. Each
// round sends to a closed port, whose datagrams and ICMP answers are dropped.
func BenchmarkDrop(b *testing.B) {
	nettest.Loopback(b)
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	must(b, err)
	defer stats.Close()
	w := open(b)
	empty := nothing(b)
	to, err := net.Dial("udp4", "127.0.0.1:9")
	must(b, err)
	defer to.Close()
	perDrop := func(p *ebpf.Program) float64 {
		before, err := p.Stats()
		must(b, err)
		for range 20_000 {
			_, _ = to.Write([]byte("x")) // ECONNREFUSED: that is what drops it
		}
		after, err := p.Stats()
		must(b, err)
		return float64(after.Runtime-before.Runtime) / float64(max(1, after.RunCount-before.RunCount))
	}
	for b.Loop() {
		b.ReportMetric(perDrop(empty), "ns/drop-empty")
		b.ReportMetric(perDrop(w.objects.Drop), "ns/drop-idle")
		must(b, w.Watch(1, []flow.Tuple{{Src: netipAddrPort(1), Dst: netipAddrPort(2)}}, nil, 0, 1, time.Now()))
		b.ReportMetric(perDrop(w.objects.Drop), "ns/drop-armed")
		must(b, w.Forget(1))
	}
}

// nothing attaches a program that does nothing.
func nothing(b *testing.B) *ebpf.Program {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "kfree_skb", License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	must(b, err)
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	must(b, err)
	b.Cleanup(func() { _ = l.Close(); _ = p.Close() })
	return p
}
