package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
)

// Exec runs a command in the agent's container and returns its exit code. An
// error says that it did not run to its end. When ctx ends first, the writers
// may be written to for a moment longer.
func (c *Cluster) Exec(ctx context.Context, a Agent, command []string, stdout, stderr io.Writer) (int, error) {
	executor, err := c.executor(a, command)
	if err != nil {
		return 0, fmt.Errorf("prepare exec: %s", oneLine(err))
	}
	ended := make(chan error, 1)
	go func() {
		ended <- executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: stdout, Stderr: stderr})
	}()
	select {
	case <-ctx.Done(): // the older protocol does not always notice
		return 0, ctx.Err()
	case err = <-ended:
	}
	var exit exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitStatus(), nil
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case late(ctx): // the connection has the same deadline, and may notice first
		return 0, context.DeadlineExceeded
	}
	return 0, fmt.Errorf("exec in pod %s: %s", a.Pod, reason(oneLine(err)))
}

func late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// reason leaves out how the API server asked a kubelet that it cannot reach.
func reason(text string) string {
	for _, asking := range []string{"error sending request: ", "error dialing backend: "} {
		_, kubelet, ok := strings.Cut(text, asking)
		if !ok {
			continue
		}
		if _, cause, ok := strings.Cut(kubelet, `": `); ok { // behind a method and an address
			kubelet = cause
		}
		return "the kubelet cannot be reached: " + kubelet
	}
	return text
}

// executor asks by a websocket, and by SPDY where the server, or a proxy on
// the way, takes none, as kubectl does.
func (c *Cluster) executor(a Agent, command []string) (remotecommand.Executor, error) {
	target := c.target(a, command)
	spdy, err := remotecommand.NewSPDYExecutor(c.config, http.MethodPost, target)
	if err != nil {
		return nil, err
	}
	socket, err := remotecommand.NewWebSocketExecutor(c.config, http.MethodGet, target.String())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}

func (c *Cluster) target(a Agent, command []string) *url.URL {
	r := c.client.Post().Namespace(c.namespace).Resource("pods").Name(a.Pod).SubResource("exec").
		Param("container", a.Container).Param("stdout", "true").Param("stderr", "true")
	for _, word := range command {
		r = r.Param("command", word)
	}
	return r.URL()
}
