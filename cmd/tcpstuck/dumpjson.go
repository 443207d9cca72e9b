package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// dumpJSON passes the flows on as the agent wrote them. It writes nothing before the
// whole answer is there.
func (p *program) dumpJSON(ctx context.Context, q api.Query) int {
	list, err := p.client.RawFlows(ctx, q)
	if err != nil {
		return p.fail(err)
	}
	out := bufio.NewWriterSize(p.stdout, 1<<20)
	if p.output == "json" {
		err = indentFlows(out, list)
	} else {
		err = writeRaw(out, list.Flows)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return p.fail(fmt.Errorf("write JSON: %w", err))
	}
	var sources []flow.Health
	if err := json.Unmarshal(list.Sources, &sources); err != nil {
		return p.fail(fmt.Errorf("read the sources: %w", err))
	}
	return max(exitCode(list.Flows), unwatched(sources))
}

// indentFlows writes a FlowList for people.
func indentFlows(w *bufio.Writer, list api.RawFlowList) error {
	head, err := json.MarshalIndent(list.About, "", "  ")
	if err != nil {
		return err
	}
	flows, err := indentEach(list.Flows)
	if err != nil {
		return err
	}
	var sources bytes.Buffer
	if err := json.Indent(&sources, list.Sources, "  ", "  "); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "%s,\n  \"flows\": [", bytes.TrimSuffix(head, []byte("\n}")))
	for n, f := range flows {
		if n > 0 {
			_ = w.WriteByte(',')
		}
		_, _ = w.Write(f)
	}
	if len(flows) > 0 {
		_, _ = w.WriteString("\n  ")
	}
	_, err = fmt.Fprintf(w, "],\n  \"sources\": %s\n}\n", sources.Bytes())
	return err // the first one: a bufio.Writer keeps it
}

// indentEach indents flows on every CPU: in a storm a person waits for that.
func indentEach(flows []json.RawMessage) ([][]byte, error) {
	indented := make([][]byte, len(flows))
	workers := runtime.GOMAXPROCS(0)
	var group errgroup.Group
	for w := range workers {
		group.Go(func() error {
			for n := w; n < len(flows); n += workers {
				b := bytes.NewBufferString("\n    ")
				if err := json.Indent(b, flows[n], "    ", "  "); err != nil {
					return err
				}
				indented[n] = b.Bytes()
			}
			return nil
		})
	}
	return indented, group.Wait()
}

func writeRaw(w io.Writer, flows []json.RawMessage) error {
	for _, f := range flows {
		if _, err := w.Write(append(f, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// exitCode is the exit code for these flows.
func exitCode(flows []json.RawMessage) int {
	for _, raw := range flows {
		var f struct {
			EndedAt *time.Time `json:"ended_at"`
		}
		if err := json.Unmarshal(raw, &f); err == nil && f.EndedAt == nil {
			return exitStuck
		}
	}
	return exitOK
}
