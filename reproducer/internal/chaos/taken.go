package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// pageTaken: if another program has the port of its page, an agent works without it, says
// so, and takes the port once it is free.
func pageTaken() Fault {
	return Fault{
		Name:  "page-taken",
		Story: "something else listens on the page's port when an agent starts, and leaves it later",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			const name = "pageless"
			address := fmt.Sprintf("127.0.0.1:%d", l.port(name+" page"))
			var other net.Listener
			if err := l.cluster.Nodes[0].NS.Do(func() (err error) {
				other, err = net.Listen("tcp", address)
				return err
			}); err != nil {
				return fmt.Errorf("take the page's port: %w", err)
			}
			defer other.Close()
			a, err := l.startReady(ctx, agentSpec{name: name})
			if err != nil {
				return err
			}
			o.inject(1)
			if err := l.truth.found(ctx, a); err != nil {
				o.lose("%v", err)
			}
			if err := a.pageless(ctx, address); err != nil {
				o.lose("while the port is taken: %v", err)
			}
			if err := other.Close(); err != nil {
				return err
			}
			if err := a.awaitPage(ctx); err != nil {
				o.lose("once the port is free: %v", err)
			}
			o.see("without its page it lists all %d flows, is ready, and says what is wrong; with the port free it serves the page", l.truth.len())
			_, err = a.terminate()
			return err
		},
	}
}

// pageless demands that an agent says that its page's address is taken: in dump
// and to Prometheus.
func (a *agent) pageless(ctx context.Context, address string) error {
	h, err := a.pageHealth(ctx)
	if err != nil {
		return err
	}
	if h.Up || !strings.Contains(h.Detail, address) {
		return fmt.Errorf("dump says %+v", h)
	}
	m, err := a.metrics(ctx)
	if err != nil {
		return err
	}
	if up, found := m.Sum(`tcpstuck_source_up`); !found || up == 0 || m.Value("tcpstuck_source_up", map[string]string{"source": "page"}) != 0 {
		return errors.New("the metrics do not tell of it")
	}
	return nil
}

// awaitPage waits until an agent serves its page and no longer says that it
// is missing.
func (a *agent) awaitPage(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	return await(ctx, func() (bool, error) {
		if _, status, err := a.get(ctx, a.page, "/"); err != nil || status != http.StatusOK {
			return false, a.living()
		}
		h, err := a.pageHealth(ctx)
		return h.Up, err
	})
}

// pageHealth returns the agent's report on its page; nothing: there is none.
func (a *agent) pageHealth(ctx context.Context) (flow.Health, error) {
	status, err := a.api.Status(ctx)
	for _, h := range status.Sources {
		if h.Source == flow.SourcePage {
			return h, nil
		}
	}
	return flow.Health{Up: true}, err
}
