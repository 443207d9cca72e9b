package tracer

import (
	"fmt"
	"os"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Lost returns how many records were lost that a Snapshot makes good. It is
// cheaper than Counters. A socket without room for storage is in no Snapshot,
// and so does not count.
func (t *Tracer) Lost() (uint64, error) {
	ring, err := t.counter(tcpstuckCounterCOUNT_LOST_RING)
	if err != nil {
		return 0, err
	}
	return ring + t.queueLost.Load() + t.decodeLost.Load(), nil
}

// Counters returns what the kernel side has counted since it was loaded.
func (t *Tracer) Counters() (flow.KernelCounters, error) {
	retransmissions := map[flow.RetransmissionKind]uint64{}
	for kind, key := range map[flow.RetransmissionKind]tcpstuckCounter{
		flow.KindTimeout: tcpstuckCounterCOUNT_TIMEOUT, flow.KindFast: tcpstuckCounterCOUNT_FAST,
		flow.KindTailLossProbe: tcpstuckCounterCOUNT_TAIL_LOSS_PROBE, flow.KindSYN: tcpstuckCounterCOUNT_SYN,
		flow.KindFailed: tcpstuckCounterCOUNT_FAILED,
	} {
		n, err := t.counter(key)
		if err != nil {
			return flow.KernelCounters{}, err
		}
		retransmissions[kind] = n
	}
	ring, err := t.counter(tcpstuckCounterCOUNT_LOST_RING)
	if err != nil {
		return flow.KernelCounters{}, err
	}
	storage, err := t.counter(tcpstuckCounterCOUNT_LOST_STORAGE)
	if err != nil {
		return flow.KernelCounters{}, err
	}
	limited, err := t.counter(tcpstuckCounterCOUNT_LIMITED)
	if err != nil {
		return flow.KernelCounters{}, err
	}
	unseen, err := t.counter(tcpstuckCounterCOUNT_UNSEEN)
	if err != nil {
		return flow.KernelCounters{}, err
	}
	losses, err := t.losses()
	if err != nil {
		return flow.KernelCounters{}, err
	}
	return flow.KernelCounters{
		Retransmissions: retransmissions, Losses: losses,
		Lost: map[flow.LossStage]uint64{
			flow.StageRing: ring, flow.StageStorage: storage,
			flow.StageQueue: t.queueLost.Load(), flow.StageDecode: t.decodeLost.Load(),
			flow.StageLimited: limited, flow.StageUnseen: unseen,
		},
		Programs: t.programs(),
	}, nil
}

func (t *Tracer) counter(key tcpstuckCounter) (uint64, error) {
	var perCPU []uint64
	if err := t.objects.Maps[tcpstuckMapCounters].Lookup(uint32(key), &perCPU); err != nil {
		return 0, fmt.Errorf("read kernel counter %d: %w", key, err)
	}
	var sum uint64
	for _, n := range perCPU {
		sum += n
	}
	return sum, nil
}

// programs returns the state of every program of the table. The kernel counts
// runs and their time only where kernel.bpf_stats_enabled is set.
func (t *Tracer) programs() []flow.Program {
	enabled := statsEnabled()
	var all []flow.Program
	for _, a := range attachments() {
		p := flow.Program{Name: a.program, Attached: t.attached(a.program)}
		if program := t.objects.Programs[a.program]; program != nil {
			if stats, err := program.Stats(); err == nil {
				p.RecursionMisses = &stats.RecursionMisses
				if enabled {
					p.Runs, p.RunTime = &stats.RunCount, &stats.Runtime
				}
			}
		}
		all = append(all, p)
	}
	return all
}

func statsEnabled() bool {
	b, err := os.ReadFile("/proc/sys/kernel/bpf_stats_enabled")
	return err == nil && strings.TrimSpace(string(b)) == "1"
}
