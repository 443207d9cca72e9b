package accuracy

import "github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"

// Kind is one sort of act: a fault of the design, or a control.
type Kind struct {
	Name string
	// Most is how many flows an act has at most; 0: as many as are drawn.
	Most int
	// Alone says that a round has room for one act of this kind only.
	Alone bool
	// Later says that the records of the peer change seconds after the act begins.
	// In an outage that must not happen while the agent still trusts its records:
	// it cannot know of the change, and reports what was true before.
	Later bool
	// Family is the only one in which it exists; empty: it does in each.
	Family cluster.Family
	// Risky says that the pod is deleted, and that its flows are not stuck because of
	// it: they end, or lose their entry, a moment later.
	Risky bool
	play  func(*scene) error
}

// Kinds returns every kind, the controls last.
func Kinds() []Kind {
	var all []Kind
	for _, some := range [][]Kind{deletedKinds(), unreachableKinds(), hereKinds(), awayKinds(), transferKinds(), twofoldKinds(), controlKinds()} {
		all = append(all, some...)
	}
	return all
}
