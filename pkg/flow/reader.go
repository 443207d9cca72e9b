package flow

import "iter"

// Selection says which findings are wanted, and how much of them.
type Selection struct {
	Live, Ended bool
	// Words asks for sentence, advice, evidence and history, which are most of
	// the work.
	Words bool
}

// Reader is what the store of findings offers to its readers. It is safe for
// concurrent use.
type Reader interface {
	// Each returns the selected findings: the live ones, suppressed ones
	// included, oldest first, then those that ended recently, latest first. A
	// finding is composed shortly before it is reached, so that a slow or small
	// reader costs little. If a live one has ended by then, it is shown as ended if
	// ended ones are selected, and left out otherwise.
	Each(Selection) iter.Seq[Finding]
	// Facts returns the live findings without words (sentence, advice,
	// evidence, history), in no order. One is composed when it is reached.
	Facts() iter.Seq[Finding]
	// Count returns how many live findings there are by why they are suppressed;
	// "" stands for those that are not.
	Count() map[Suppression]int
	// IDs returns the ids of all findings, live and ended, each once, in no
	// order. Nothing is composed.
	IDs() []ID
	// Finding returns one finding, live or ended.
	Finding(id ID) (Finding, bool)
	// Suspects returns the number of suspects, which are not reported yet.
	Suspects() int
	// Refused returns how many times a flow found no room among those that are
	// watched, or had to make room for one of another owner.
	Refused() uint64
	// Health returns every source's health.
	Health() []Health
	// Stale returns the conntrack entries that outlived their flows.
	Stale() []StaleEntry
}
