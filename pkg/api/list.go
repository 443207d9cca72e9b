package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/jsonscan"
)

// Flows returns the flows that the query selects.
func (c *Client) Flows(ctx context.Context, q Query) (FlowList, error) {
	var flows pile
	about, raw, err := c.EachFlow(ctx, q, flows.read)
	if err != nil {
		return FlowList{}, err
	}
	var sources []flow.Health
	if err := json.Unmarshal(raw, &sources); err != nil {
		return FlowList{}, fmt.Errorf("read the agent's answer: %w", err)
	}
	return FlowList{About: about, Flows: flows.all(), Sources: sources}, nil
}

// pile collects findings in parts. Nobody knows beforehand how many come, and a single
// slice would be copied each time it grows: a finding is large, and a storm has thousands.
type pile struct {
	full [][]flow.Finding
	part []flow.Finding // the last one
}

const partOfPile = 512 // findings

// read takes one finding. If the text ends within it, read takes nothing.
func (p *pile) read(t *jsonscan.Text) {
	if len(p.part) == cap(p.part) {
		p.full, p.part = append(p.full, p.part), make([]flow.Finding, 0, partOfPile)
	}
	n := len(p.part)
	p.part = p.part[:n+1]
	if p.part[n].ReadJSON(t); t.Err() != nil {
		p.part = p.part[:n]
	}
}

func (p *pile) all() []flow.Finding { return slices.Concat(append(p.full, p.part)...) }

// EachFlow calls read for each flow that the query selects, while the agent still
// composes the next. If a flow has not come as a whole, the text has an error after
// read, and EachFlow calls read again for that flow. So what read took counts only
// if the text has no error. If EachFlow returns an error, flows are missing. The
// sources are as the agent wrote them.
func (c *Client) EachFlow(ctx context.Context, q Query, read func(*jsonscan.Text)) (about About, sources json.RawMessage, err error) {
	err = c.read(ctx, "/v1/flows?"+q.values().Encode(), func(r io.Reader) error {
		l := listing{stream: jsonscan.NewStream(r, 2*bufferBytes), about: map[string]json.RawMessage{}, read: read}
		about, err = l.decode()
		sources = l.sources
		return err
	})
	return about, sources, err
}

// listing is a FlowList on its way.
type listing struct {
	stream  *jsonscan.Stream
	read    func(*jsonscan.Text)
	about   map[string]json.RawMessage // the members but these two: flows and
	sources json.RawMessage
}

func (l *listing) decode() (about About, err error) {
	if err := l.members(); err != nil {
		return about, err
	}
	b, err := json.Marshal(l.about)
	if err != nil {
		return about, err
	}
	if err := json.Unmarshal(b, &about); err != nil {
		return about, err
	}
	return about, flow.CheckAPIVersion(about.APIVersion)
}

func (l *listing) members() error {
	if err := l.stream.Next(func(t *jsonscan.Text) { t.Open('{') }); err != nil {
		return err
	}
	for {
		name, more := "", false
		err := l.stream.Next(func(t *jsonscan.Text) {
			if more = t.More('}'); more {
				name = string(t.Name())
			}
		})
		if err != nil || !more {
			return err
		}
		if name == "flows" {
			err = l.flows()
		} else {
			err = l.other(name)
		}
		if err != nil {
			return err
		}
	}
}

func (l *listing) other(name string) error {
	return l.stream.Next(func(t *jsonscan.Text) {
		value := json.RawMessage(append([]byte{}, t.Raw()...))
		if name == "sources" {
			l.sources = value
			return
		}
		l.about[name] = value
	})
}

func (l *listing) flows() error {
	if err := l.stream.Next(func(t *jsonscan.Text) { t.Open('[') }); err != nil {
		return err
	}
	for more := true; more; {
		err := l.stream.Next(func(t *jsonscan.Text) {
			if more = t.More(']'); more {
				l.read(t)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
