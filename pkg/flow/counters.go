package flow

import "time"

// RetransmissionKind is a value of the kind label of
// tcpstuck_retransmissions_total.
type RetransmissionKind string

// The kinds of retransmission.
const (
	KindTimeout       RetransmissionKind = "timeout"
	KindFast          RetransmissionKind = "fast"
	KindTailLossProbe RetransmissionKind = "tail_loss_probe"
	KindSYN           RetransmissionKind = "syn"
	KindFailed        RetransmissionKind = "failed"
)

// RetransmissionKinds returns every kind, in the order of the kernel side's
// counters.
func RetransmissionKinds() []RetransmissionKind {
	return []RetransmissionKind{KindTimeout, KindFast, KindTailLossProbe, KindSYN, KindFailed}
}

// LossStage is where a record of the kernel side can be lost.
type LossStage string

// The stages.
const (
	StageRing    LossStage = "ring"    // the ring buffer was full
	StageStorage LossStage = "storage" // a socket had no room for storage, nor had the map that stands in for it
	StageQueue   LossStage = "queue"   // the agent's own queue was full
	StageDecode  LossStage = "decode"  // a record could not be read
	// StageLimited counts the ends with a loss that were counted and not
	// reported, because their owner had too many in those ten seconds. A resync
	// does not find them again, and need not.
	StageLimited LossStage = "limited"
	// StageUnseen counts the ends that the kernel did not show when they came.
	// What the socket leaves shows most of them: in a snapshot, or when it goes.
	StageUnseen LossStage = "unseen"
)

// LossStages returns every stage.
func LossStages() []LossStage {
	return []LossStage{StageRing, StageStorage, StageQueue, StageDecode, StageLimited, StageUnseen}
}

// KernelCounters is what the kernel side has counted since it was loaded.
type KernelCounters struct {
	Retransmissions map[RetransmissionKind]uint64
	Lost            map[LossStage]uint64
	Losses          map[LossReason]Losses // of every socket, suspect or not; exact
	Programs        []Program
}

// Program is one kernel program. Runs, RunTime and RecursionMisses are nil if the
// kernel does not keep them.
type Program struct {
	Name            string
	Attached        bool
	Runs            *uint64
	RunTime         *time.Duration
	RecursionMisses *uint64
}
