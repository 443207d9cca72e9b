package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// The reasons why the agent gives no answer.
var (
	ErrNoAgent    = errors.New("no agent answers")
	ErrPermission = errors.New("no permission to ask the agent")
)

// Client asks an agent over its unix socket. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client. It connects with the first question.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial, ReadBufferSize: bufferBytes}}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (q Query) values() url.Values {
	values := url.Values{}
	if q.State != "" {
		values.Set("state", string(q.State))
	}
	values.Set("muted", strconv.FormatBool(q.Suppressed))
	values.Set("brief", strconv.FormatBool(q.Brief))
	values.Set("rows", strconv.FormatBool(q.Rows))
	if !q.EndedAfter.IsZero() {
		values.Set("ended_after", q.EndedAfter.UTC().Format(time.RFC3339Nano))
	}
	return values
}

// Flow returns the flow with that id, or the only one whose id has that prefix.
func (c *Client) Flow(ctx context.Context, id string) (flow.Finding, error) {
	var f flow.Finding
	if id == "" {
		return f, errors.New("the id of the flow is empty")
	}
	err := c.read(ctx, "/v1/flows/"+url.PathEscape(id), func(r io.Reader) error { return json.NewDecoder(r).Decode(&f) })
	return f, err
}

// Status returns the agent's report on itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.get(ctx, "/v1/status", &s, &s.APIVersion)
	return s, err
}

// get reads an answer whose apiVersion is then at version.
func (c *Client) get(ctx context.Context, path string, into any, version *string) error {
	return c.read(ctx, path, func(r io.Reader) error {
		if err := json.NewDecoder(r).Decode(into); err != nil {
			return err
		}
		return flow.CheckAPIVersion(*version)
	})
}

// How long, and how often, an agent that has just started is asked again.
const (
	readyPatience = 2 * time.Second
	readyPause    = 50 * time.Millisecond
)

// read asks, and asks again for a short time while the agent is not ready.
func (c *Client) read(ctx context.Context, path string, decode func(io.Reader) error) error {
	enough := time.After(readyPatience)
	for {
		err := c.readOnce(ctx, path, decode)
		if !errors.Is(err, ErrNotReady) {
			return err
		}
		select {
		case <-time.After(readyPause):
		case <-enough:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

func (c *Client) readOnce(ctx context.Context, path string, decode func(io.Reader) error) error {
	if err := checkSocketPath(c.socket); err != nil {
		return fmt.Errorf("ask the agent: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://tcpstuck"+path, nil)
	if err != nil {
		return fmt.Errorf("ask the agent: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.explain(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return c.refusal(resp)
	}
	if err := decode(resp.Body); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return c.explain(err)
		}
		return fmt.Errorf("read the agent's answer: %w", err)
	}
	return nil
}

// refusal is why the agent does not answer a question.
func (c *Client) refusal(resp *http.Response) error {
	var f failure
	if json.NewDecoder(resp.Body).Decode(&f) != nil || f.Error == "" {
		return fmt.Errorf("the agent on %s answers %s", c.socket, resp.Status)
	}
	if why, ok := strings.CutPrefix(f.Error, ErrNotReady.Error()+": "); ok {
		return fmt.Errorf("%w: %s", ErrNotReady, why)
	}
	return errors.New(f.Error)
}

// explain names the usual reason why there is no answer.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w on %s: is tcpstuck-agent running?", ErrNoAgent, c.socket)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w on %s in time: tcpstuck-agent is there, and busy or stopped", ErrNoAgent, c.socket)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w on %s: its socket is for root", ErrPermission, c.socket)
	}
	return fmt.Errorf("ask the agent on %s: %w", c.socket, err)
}
