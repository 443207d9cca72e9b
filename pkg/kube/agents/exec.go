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
// error means that the command did not run to its end. If ctx ends first, Exec
// may still write to the writers for a moment.
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

// reason shortens the error about a kubelet that the API server cannot reach:
// it leaves out the request.
func reason(text string) string {
	for _, asking := range []string{"error sending request: ", "error dialing backend: "} {
		_, kubelet, ok := strings.Cut(text, asking)
		if !ok {
			continue
		}
		if _, cause, ok := strings.Cut(kubelet, `": `); ok { // after a method and an address
			kubelet = cause
		}
		return "the kubelet cannot be reached: " + kubelet
	}
	return text
}

// executor uses a websocket. As kubectl does, it uses SPDY if the server, or a
// proxy on the way, takes no websockets.
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
