package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/jsonscan"
)

// dumpJSON passes the flows on as the agent wrote them. It writes nothing before the
// whole answer is there.
func (p *program) dumpJSON(ctx context.Context, q api.Query) int {
	to := passed{add: appendRaw}
	if p.output == "json" {
		to.add = appendIndented
	}
	about, raw, err := p.client.EachFlow(ctx, q, to.flow)
	if err != nil {
		return p.fail(err)
	}
	var sources []flow.Health
	if err := json.Unmarshal(raw, &sources); err != nil {
		return p.fail(fmt.Errorf("read the sources: %w", err))
	}
	if p.output == "json" {
		err = writeList(p.stdout, about, raw, &to)
	} else {
		err = to.pages.write(p.stdout)
	}
	if err != nil {
		return p.fail(fmt.Errorf("write JSON: %w", err))
	}
	code := exitOK
	if to.stuck {
		code = exitStuck
	}
	return max(code, unwatched(sources))
}

// passed holds the flows that came, as they will be written.
type passed struct {
	add   func(b []byte, t *jsonscan.Text, n int) []byte // appends flow n
	n     int
	stuck bool // one has not ended
	pages pages
}

// flow takes one flow. If the text ends within it, flow takes nothing.
func (p *passed) flow(t *jsonscan.Text) {
	page := p.pages.last()
	begin := len(page)
	if page = p.add(page, t, p.n); t.Err() != nil {
		return
	}
	p.n++
	p.stuck = p.stuck || !hasEnded(page[begin:])
	p.pages.put(page)
}

// hasEnded reports whether a flow has ended. A comma may stand before the flow.
func hasEnded(raw []byte) bool {
	var f struct {
		EndedAt *time.Time `json:"ended_at"`
	}
	err := json.Unmarshal(bytes.TrimPrefix(raw, []byte(",")), &f)
	return err != nil || f.EndedAt != nil
}

// appendRaw appends a flow as a line.
func appendRaw(b []byte, t *jsonscan.Text, _ int) []byte {
	return append(append(b, t.Raw()...), '\n')
}

// appendIndented appends a flow as an element of a list.
func appendIndented(b []byte, t *jsonscan.Text, n int) []byte {
	if n > 0 {
		b = append(b, ',')
	}
	return t.AppendIndented(append(b, "\n    "...), 2)
}

// writeList writes a FlowList for people.
func writeList(w io.Writer, about api.About, sources json.RawMessage, flows *passed) error {
	head, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	var tail bytes.Buffer
	if err := json.Indent(&tail, sources, "  ", "  "); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s,\n  \"flows\": [", bytes.TrimSuffix(head, []byte("\n}"))); err != nil {
		return err
	}
	if err := flows.pages.write(w); err != nil {
		return err
	}
	end := "]"
	if flows.n > 0 {
		end = "\n  ]"
	}
	_, err = fmt.Fprintf(w, "%s,\n  \"sources\": %s\n}\n", end, tail.Bytes())
	return err
}
