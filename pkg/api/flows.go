package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Query selects flows. The zero value selects what is stuck now.
type Query struct {
	State State
	Muted bool // with those that are counted only
	Brief bool // without evidence, history and advice
	Rows  bool // only what a row of a table shows: without the sentence, too
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

// About is whose flows they are, and what is not among them.
type About struct {
	APIVersion string            `json:"apiVersion"`
	Node       string            `json:"node"`
	Started    *time.Time        `json:"agent_started_at"` // flows that ended before are not known
	Suspects   int               `json:"suspects"`         // without progress, not reported yet
	Counted    map[flow.Mute]int `json:"counted"`          // counted only, by reason
}

// selectFlows goes through the flows that a query selects.
func (s *server) selectFlows(q Query) iter.Seq[flow.Finding] {
	return func(yield func(flow.Finding) bool) {
		for f := range s.Reader.Each(flow.Selection{Live: q.State != Ended, Ended: q.State != Live, Words: !q.Rows}) {
			if f.Mute != "" && !q.Muted || f.Ended() && f.EndedAt.Before(q.EndedAfter) {
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
	var count map[flow.Mute]int
	if q.State != Ended {
		count = s.Reader.Count()
	}
	about := About{APIVersion: flow.APIVersion, Node: s.Node, Suspects: s.Reader.Suspects(), Counted: counted(count)}
	if !s.Started.IsZero() {
		started := s.Started.UTC().Round(time.Millisecond)
		about.Started = &started
	}
	w.Header().Set("Content-Type", "application/json")
	if err := writeFlowList(patience(w), about, s.selectFlows(q), s.Reader.Health()); err != nil {
		s.Log.Debug("Cannot send the flows", "err", err)
	}
}

// bufferBytes is how much is written and read at once: thousands of flows are
// tens of megabytes.
const bufferBytes = 64 << 10

// writeFlowList writes a FlowList flow by flow: in a storm the whole of it
// would be the largest thing in the agent's memory, once for every reader
// that does not read.
func writeFlowList(to io.Writer, about About, fs iter.Seq[flow.Finding], sources []flow.Health) error {
	w := bufio.NewWriterSize(to, bufferBytes)
	head, err := json.Marshal(about)
	if err != nil {
		return fmt.Errorf("encode the list: %w", err)
	}
	if _, err := fmt.Fprintf(w, `%s,"flows":[`, bytes.TrimSuffix(head, []byte("}"))); err != nil {
		return err
	}
	comma := ""
	for f := range fs {
		b, err := f.MarshalJSON()
		if err != nil {
			return fmt.Errorf("encode flow %s: %w", f.ID, err)
		}
		if _, err := w.Write(append([]byte(comma), b...)); err != nil {
			return err
		}
		comma = ","
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

// How the answer begins about a flow that the agent does not have, or an id
// that is several flows'.
const (
	NoFlow    = "no flow has an id"
	ManyFlows = "several flows have ids"
)

// The reasons why one flow cannot be told.
var (
	errNoFlow    = errors.New(NoFlow)
	errManyFlows = errors.New(ManyFlows)
)

func (s *server) flow(w http.ResponseWriter, r *http.Request) {
	f, err := s.find(r.PathValue("id"))
	if err != nil {
		s.fail(w, codeOf(err), err.Error())
		return
	}
	s.reply(w, http.StatusOK, f)
}

func codeOf(err error) int {
	switch {
	case errors.Is(err, errNoFlow):
		return http.StatusNotFound
	case errors.Is(err, errManyFlows):
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

// find returns the flow with that id, or the only one whose id begins so.
func (s *server) find(prefix string) (flow.Finding, error) {
	prefix = strings.ToLower(prefix)
	id, err := flow.ParseID(prefix)
	if err != nil {
		return flow.Finding{}, err
	}
	if f, ok := s.Reader.Finding(id); ok {
		return f, nil
	}
	var found []flow.Finding
	for f := range s.selectFlows(Query{State: All, Muted: true}) {
		same := func(o flow.Finding) bool { return o.ID == f.ID } // it was stuck before
		if strings.HasPrefix(f.ID.String(), prefix) && !slices.ContainsFunc(found, same) {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 0:
		return flow.Finding{}, fmt.Errorf("%w that begins with %s: it is not stuck, or it ended long ago", errNoFlow, prefix)
	case 1:
		return found[0], nil
	}
	return flow.Finding{}, fmt.Errorf("%w that begin with %s: %s", errManyFlows, prefix, someIDs(found))
}

func someIDs(fs []flow.Finding) string {
	const most = 5
	var ids []string
	for _, f := range fs[:min(len(fs), most)] {
		ids = append(ids, f.ID.String())
	}
	if len(fs) > most {
		ids = append(ids, fmt.Sprintf("and %d more", len(fs)-most))
	}
	return strings.Join(ids, ", ")
}
