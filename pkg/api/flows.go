package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Query selects flows. The zero value selects what is stuck now.
type Query struct {
	State      State
	Suppressed bool // with those that are suppressed
	Brief      bool // without evidence, history and advice
	Rows       bool // only what a row of a table shows, so without the sentence, too
	// EndedAfter leaves out those that ended before it; zero: none.
	EndedAfter time.Time
}

// State selects flows by whether they have ended.
type State string

// The states; empty means Live.
const (
	Live  State = "live"
	Ended State = "ended"
	All   State = "all" // live ones first
)

// FlowList is the answer of /v1/flows.
type FlowList struct {
	About
	Flows   []flow.Finding `json:"flows"`
	Sources []flow.Health  `json:"sources"`
}

// About is the node of the flows, and what is not among them.
type About struct {
	APIVersion string                   `json:"apiVersion"`
	Node       string                   `json:"node"`
	Started    *time.Time               `json:"agent_started_at"` // flows that ended before are not known
	Suspects   int                      `json:"suspects"`         // without progress, not reported yet
	Counted    map[flow.Suppression]int `json:"counted"`          // suppressed, by reason
}

// selectFlows goes through the flows that a query selects, until ctx ends.
func (s *server) selectFlows(ctx context.Context, q Query) iter.Seq[flow.Finding] {
	return func(yield func(flow.Finding) bool) {
		for f := range s.Reader.Each(flow.Selection{Live: q.State != Ended, Ended: q.State != Live, Words: !q.Rows}) {
			if ctx.Err() != nil {
				return
			}
			if f.Suppressed != "" && !q.Suppressed || f.Ended() && f.EndedAt.Before(q.EndedAfter) {
				continue
			}
			if q.Brief {
				f.Evidence, f.History, f.Advice = nil, nil, nil
			}
			if !yield(f) {
				return
			}
		}
	}
}

func (s *server) flows(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r)
	if err != nil {
		s.fail(w, http.StatusBadRequest, err.Error())
		return
	}
	var count map[flow.Suppression]int
	if q.State != Ended {
		count = s.Reader.Count()
	}
	about := About{APIVersion: flow.APIVersion, Node: s.Node, Suspects: s.Reader.Suspects(), Counted: counted(count)}
	if !s.Started.IsZero() {
		started := s.Started.UTC().Round(time.Millisecond)
		about.Started = &started
	}
	w.Header().Set("Content-Type", "application/json")
	if err := writeFlowList(patience(w), about, s.selectFlows(r.Context(), q), s.Reader.Health()); err != nil {
		s.Log.Debug("Cannot send the flows", "err", err)
	}
}

// bufferBytes is how much is written and read at once: thousands of flows are
// tens of megabytes.
const bufferBytes = 64 << 10

// writeFlowList writes a FlowList flow by flow. In a storm the whole list would be
// the largest object in the agent's memory, once for each caller that does not
// read.
func writeFlowList(to io.Writer, about About, fs iter.Seq[flow.Finding], sources []flow.Health) error {
	w := bufio.NewWriterSize(to, bufferBytes)
	head, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("encode the list: %w", err)
	}
	if _, err := fmt.Fprintf(w, `%s,"flows":[`, bytes.TrimSuffix(head, []byte("}"))); err != nil {
		return err
	}
	var line []byte
	for f := range fs {
		if line != nil {
			_ = w.WriteByte(',') // the writer keeps its error
		}
		line = f.AppendJSON(line[:0])
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	b, err := json.Marshal(append([]flow.Health{}, sources...))
	if err != nil {
		return fmt.Errorf("encode sources: %w", err)
	}
	if _, err = fmt.Fprintf(w, "],\"sources\":%s}\n", b); err != nil {
		return err
	}
	return w.Flush()
}
