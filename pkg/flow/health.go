package flow

import (
	"iter"
	"time"
)

// Source names a source of evidence, as metrics and the last line of dump
// show it.
type Source string

// The sources.
const (
	SourceKernel    Source = "kernel"
	SourceConntrack Source = "conntrack"
	SourceCluster   Source = "cluster"
	SourceRoute     Source = "route"
	SourceOwner     Source = "owner"
)

// SourcePage stands for the page on loopback, of which no evidence comes. It is
// beside the sources once its address was taken by something else.
const SourcePage Source = "page"

// Sources returns every source.
func Sources() []Source {
	return []Source{SourceKernel, SourceConntrack, SourceCluster, SourceRoute, SourceOwner}
}

// Health is how far a source can be trusted at the moment.
type Health struct {
	Source   Source    `json:"source"`
	Up       bool      `json:"up"`
	LastSync time.Time `json:"last_sync"` // zero: never
	Detail   string    `json:"detail"`    // what it is, or why it is down
}

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
	// reported, because their owner had too many in those ten seconds. No resync
	// makes good for them, and none is needed.
	StageLimited LossStage = "limited"
	// StageUnseen counts the ends that the kernel did not show when they came.
	// Most are found by what the socket leaves: in a snapshot, or when it goes.
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

// Program is one kernel program. Runs, RunTime and RecursionMisses are nil
// where the kernel does not keep them.
type Program struct {
	Name            string
	Attached        bool
	Runs            *uint64
	RunTime         *time.Duration
	RecursionMisses *uint64
}

// Selection says which findings are wanted, and how much of them.
type Selection struct {
	Live, Ended bool
	// Words asks for sentence, advice, evidence and history, which are most of
	// the work.
	Words bool
}

// Reader is what the store of findings offers to everything right of it. It
// may be called from any goroutine.
type Reader interface {
	// Each returns the selected findings: the live ones, muted ones included,
	// oldest first, then those that ended recently, latest first. Each is
	// composed when it is reached, so that whoever takes few, or takes his
	// time, costs little: a live one that has ended by then is shown as such
	// with ended ones, and left out without.
	Each(Selection) iter.Seq[Finding]
	// Facts returns the live findings without words (sentence, advice,
	// evidence, history), in no order.
	Facts() []Finding
	// Count returns how many live findings there are by why they are muted; ""
	// stands for those that are not.
	Count() map[Mute]int
	// IDs returns the ids of all findings, live and ended, each once, in no
	// order. Nothing is composed.
	IDs() []ID
	// Finding returns one finding, live or ended.
	Finding(id ID) (Finding, bool)
	// Suspects returns how many flows are under suspicion and not reported.
	Suspects() int
	// Health returns every source's health.
	Health() []Health
	// Stale returns the conntrack entries that outlived their flows.
	Stale() []StaleEntry
}
