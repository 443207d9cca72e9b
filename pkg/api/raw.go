package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// RawFlowList is a FlowList whose flows stay as the agent wrote them, for passing
// them on: decoding and encoding thousands would be most of the work.
type RawFlowList struct {
	About
	Flows   []json.RawMessage
	Sources json.RawMessage
}

// RawFlows returns the flows that the query selects, as they were written.
func (c *Client) RawFlows(ctx context.Context, q Query) (RawFlowList, error) {
	var list RawFlowList
	err := c.read(ctx, "/v1/flows?"+q.values().Encode(), list.decode)
	return list, err
}

// decode reads a FlowList flow by flow, while the agent still writes.
func (l *RawFlowList) decode(r io.Reader) error {
	d := json.NewDecoder(r)
	if err := skip(d, json.Delim('{')); err != nil {
		return err
	}
	about := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch name, _ := token.(string); name {
		case "flows":
			err = l.decodeFlows(d)
		case "sources":
			err = d.Decode(&l.Sources)
		default:
			var value json.RawMessage
			err = d.Decode(&value)
			about[name] = value
		}
		if err != nil {
			return err
		}
	}
	if err := l.decodeAbout(about); err != nil {
		return err
	}
	if err := flow.CheckAPIVersion(l.APIVersion); err != nil {
		return err
	}
	return skip(d, json.Delim('}'))
}

// parse takes the flows apart, on every CPU: in a storm a person waits for
// that.
func (l *RawFlowList) parse() (FlowList, error) {
	list := FlowList{About: l.About, Flows: make([]flow.Finding, len(l.Flows))}
	workers := runtime.GOMAXPROCS(0)
	var group errgroup.Group
	for w := range workers {
		group.Go(func() error {
			for n := w; n < len(l.Flows); n += workers {
				if err := json.Unmarshal(l.Flows[n], &list.Flows[n]); err != nil {
					return fmt.Errorf("read a flow: %w", err)
				}
			}
			return nil
		})
	}
	group.Go(func() error { return json.Unmarshal(l.Sources, &list.Sources) })
	return list, group.Wait()
}

func (l *RawFlowList) decodeAbout(members map[string]json.RawMessage) error {
	b, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, &l.About)
}

func (l *RawFlowList) decodeFlows(d *json.Decoder) error {
	if err := skip(d, json.Delim('[')); err != nil {
		return err
	}
	for d.More() {
		var f json.RawMessage
		if err := d.Decode(&f); err != nil {
			return err
		}
		l.Flows = append(l.Flows, f)
	}
	return skip(d, json.Delim(']'))
}

func skip(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%v where %v should be", got, want)
	}
	return nil
}
