package conntrack

import (
	"context"
	"errors"
	"fmt"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Lookup returns the entry of the default zone one of whose directions is the
// tuple that a socket of this node sends with (ctnetlink_get_conntrack). The
// Translation's Asked is that tuple as the table holds it: IPv4-mapped
// addresses are unmapped. It returns ErrNotFound when there is no such entry,
// and an error that is context.DeadlineExceeded when ctx ends first.
func (t *Table) Lookup(ctx context.Context, tuple flow.Tuple) (flow.Translation, error) {
	found, err := t.lookup(ctx, tuple)
	if err != nil {
		return flow.Translation{}, fmt.Errorf("look up conntrack entry: %w", err)
	}
	return found, nil
}

func (t *Table) lookup(ctx context.Context, asked flow.Tuple) (flow.Translation, error) {
	asked, err := normal(asked)
	if err != nil {
		return flow.Translation{}, err
	}
	req, err := getRequest(asked)
	if err != nil {
		return flow.Translation{}, err
	}
	msgs, err := t.ask(ctx, req)
	if err != nil {
		return flow.Translation{}, err
	}
	if len(msgs) == 0 {
		return flow.Translation{}, errors.New("the kernel answered with nothing")
	}
	found, err := decode(msgs[0])
	found.Asked = asked
	return found, err
}
