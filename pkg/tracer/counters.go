package tracer

import (
	"fmt"
	"os"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Signs tell the agent that a look has something to show. Counts begin when the programs
// are loaded.
type Signs struct {
	// Lost counts the lost records that a Snapshot makes good. No Snapshot shows a
	// socket without room for storage, so its records do not count.
	Lost uint64
	// Unwatched counts how often the kernel side left out a suspect. The socket had no
	// room for storage, and no place was left for its owner (Options.Unstored).
	Unwatched uint64
	// Recovered counts the recoveries of suspects with Socket.Signals. An Incremental
	// shows these suspects.
	Recovered uint64
	// Signalled reports whether recoveries are counted at all: the kernel has the
	// tracepoint tcp_cong_state_set (5.19).
	Signalled bool
}

// Signs returns the signs. That is cheaper than Counters.
func (t *Tracer) Signs() (Signs, error) {
	c, err := t.counts()
	if err != nil {
		return Signs{}, err
	}
	return Signs{
		Unwatched: c[tcpstuckCounterCOUNT_LOST_STORAGE],
		Lost:      c[tcpstuckCounterCOUNT_LOST_RING] + t.queueLost.Load() + t.decodeLost.Load(),
		Recovered: c[tcpstuckCounterCOUNT_LEFT_LOSS], Signalled: t.attached(tcpstuckProgLeaveLoss),
	}, nil
}

// Counters returns what the kernel side has counted since it was loaded.
func (t *Tracer) Counters() (flow.KernelCounters, error) {
	c, err := t.counts()
	if err != nil {
		return flow.KernelCounters{}, err
	}
	losses, err := t.losses()
	if err != nil {
		return flow.KernelCounters{}, err
	}
	return flow.KernelCounters{
		Retransmissions: map[flow.RetransmissionKind]uint64{
			flow.KindTimeout: c[tcpstuckCounterCOUNT_TIMEOUT], flow.KindFast: c[tcpstuckCounterCOUNT_FAST],
			flow.KindTailLossProbe: c[tcpstuckCounterCOUNT_TAIL_LOSS_PROBE], flow.KindSYN: c[tcpstuckCounterCOUNT_SYN],
			flow.KindFailed: c[tcpstuckCounterCOUNT_FAILED],
		},
		Losses: losses,
		Lost: map[flow.LossStage]uint64{
			flow.StageRing: c[tcpstuckCounterCOUNT_LOST_RING], flow.StageStorage: c[tcpstuckCounterCOUNT_LOST_STORAGE],
			flow.StageQueue: t.queueLost.Load(), flow.StageDecode: t.decodeLost.Load(),
			flow.StageLimited: c[tcpstuckCounterCOUNT_LIMITED], flow.StageUnseen: c[tcpstuckCounterCOUNT_UNSEEN],
		},
		Programs: t.states(),
	}, nil
}

// tcpstuckCPUs is how many CPUs have a place of their own (bpf/lib/cpu.h).
const tcpstuckCPUs = 128

// counted is what the kernel side has counted, by enum counter.
type counted [len(tcpstuckCpu{}.Counted)]uint64

// counts adds up what each CPU has counted.
func (p *programs) counts() (sum counted, err error) {
	cpus, ok := p.cpus.Get().(*[tcpstuckCPUs]tcpstuckCpu)
	if !ok {
		cpus = new([tcpstuckCPUs]tcpstuckCpu)
	}
	defer p.cpus.Put(cpus)
	if err := p.objects.Variables[tcpstuckVarCpus].Get(cpus); err != nil {
		return sum, fmt.Errorf("read the kernel counters: %w", err)
	}
	for _, cpu := range cpus {
		for key, n := range cpu.Counted {
			sum[key] += n
		}
	}
	return sum, nil
}

// states returns the state of every program of the table. The kernel counts runs
// and their time only if kernel.bpf_stats_enabled is set.
func (p *programs) states() []flow.Program {
	enabled := statsEnabled()
	var all []flow.Program
	for _, a := range attachments() {
		state := flow.Program{Name: a.program, Attached: p.attached(a.program)}
		if program := p.objects.Programs[a.program]; program != nil {
			if stats, err := program.Stats(); err == nil {
				state.RecursionMisses = &stats.RecursionMisses
				if enabled {
					state.Runs, state.RunTime = &stats.RunCount, &stats.Runtime
				}
			}
		}
		all = append(all, state)
	}
	return all
}

func statsEnabled() bool {
	b, err := os.ReadFile("/proc/sys/kernel/bpf_stats_enabled")
	return err == nil && strings.TrimSpace(string(b)) == "1"
}
