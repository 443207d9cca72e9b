package flowtest

import (
	"iter"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Reader is a flow.Reader over fixed values.
type Reader struct {
	Live         []flow.Finding
	Past         []flow.Finding
	SuspectCount int
	RefusedCount uint64
	Sources      []flow.Health
	StaleEntries []flow.StaleEntry
}

// NewReader returns a node with every kind of finding and one source down.
func NewReader() *Reader {
	return &Reader{
		Live:         append(Findings(), Suppressed(100)...),
		Past:         []flow.Finding{Ended()},
		SuspectCount: 2, RefusedCount: 7,
		Sources: Health(),
	}
}

// Health returns the sources of a node whose cluster source is stale.
func Health() []flow.Health {
	at := Now().Add(-2 * time.Second)
	return []flow.Health{
		{Source: flow.SourceKernel, Up: true, LastSync: at, Detail: "3 programs attached"},
		{Source: flow.SourceConntrack, Up: true, LastSync: at},
		{Source: flow.SourceCluster, Up: false, LastSync: Now().Add(-2 * time.Minute), Detail: "state.yaml: unexpected end of file, since 14:00:23"},
		{Source: flow.SourceRoute, Up: true, LastSync: at},
		{Source: flow.SourceOwner, Up: true},
	}
}

// Each implements flow.Reader.
func (r *Reader) Each(q flow.Selection) iter.Seq[flow.Finding] {
	var all []flow.Finding
	if q.Live {
		all = append(all, r.Live...)
	}
	if q.Ended {
		all = append(all, r.Past...)
	}
	for i := range all {
		if !q.Words {
			all[i].Sentence, all[i].Advice, all[i].Evidence, all[i].History = "", nil, nil, nil
		}
	}
	return slices.Values(all)
}

// Facts implements flow.Reader.
func (r *Reader) Facts() iter.Seq[flow.Finding] { return slices.Values(r.Live) }

// Refused implements flow.Reader.
func (r *Reader) Refused() uint64 { return r.RefusedCount }

// Count implements flow.Reader.
func (r *Reader) Count() map[flow.Suppression]int {
	count := map[flow.Suppression]int{}
	for _, f := range r.Live {
		count[f.Suppressed]++
	}
	return count
}

// Suspects implements flow.Reader.
func (r *Reader) Suspects() int { return r.SuspectCount }

// Health implements flow.Reader.
func (r *Reader) Health() []flow.Health { return r.Sources }

// Stale implements flow.Reader.
func (r *Reader) Stale() []flow.StaleEntry { return r.StaleEntries }

// IDs implements flow.Reader.
func (r *Reader) IDs() []flow.ID {
	var ids []flow.ID
	for _, fs := range [][]flow.Finding{r.Live, r.Past} {
		for _, f := range fs {
			if !slices.Contains(ids, f.ID) {
				ids = append(ids, f.ID)
			}
		}
	}
	return ids
}

// Finding implements flow.Reader.
func (r *Reader) Finding(id flow.ID) (flow.Finding, bool) {
	for _, fs := range [][]flow.Finding{r.Live, r.Past} {
		for _, f := range fs {
			if f.ID == id {
				return f, true
			}
		}
	}
	return flow.Finding{}, false
}
