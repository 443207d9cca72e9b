package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// sidecar is a hang that hides behind another process of the same pod.
func sidecar() Scenario {
	var app *cluster.Echo
	return Scenario{
		Name: "sidecar",
		Story: "A mesh's proxy takes over what the application beside it sends to a ClusterIP.\n" +
			"The server pod is force-deleted: the proxy's own connection hangs, so it stops reading.\n" +
			"The application sees a closed window, of a peer that is no further away than its own pod.",
		Expected:   Expectation{Symptom: flow.ZeroWindow, Cause: flow.SlowReader},
		stuckAfter: 3 * time.Second,
		quiet:      true,
		prepare: func(ctx context.Context, l *Lab) (err error) {
			app, err = startMeshed(ctx, l)
			return err
		},
		fault: func(_ context.Context, l *Lab) (time.Time, error) {
			removal, err := l.Cluster.ForceDelete(l.Server)
			return removal.Route, err
		},
		aside: func(l *Lab, f flow.Finding) bool { return f.Local.PID == uint32(l.Client.Echo.PID()) },
		subject: func(_ *Lab, f flow.Finding) error {
			if want := last(app.Records(), record.Connected).Local; f.Local.Addr != want {
				return fmt.Errorf("flow %s was reported, the application's is %s", f.Local.Addr, want)
			}
			return nil
		},
		check: func(l *Lab, f flow.Finding) error {
			said := l.Events(func(e flow.Event) bool { return stuckEvent(e) && e.Flow.Local.PID == uint32(l.Client.Echo.PID()) })
			if len(said) != 1 || said[0].Flow.Symptom != flow.Retransmitting || said[0].Flow.Cause != flow.StaleConntrack {
				return fmt.Errorf("of the proxy's own connection was said: %+v", said)
			}
			for _, want := range []string{fmt.Sprintf("[%d]", l.Client.Echo.PID()), string(flow.StaleConntrack)} {
				if !strings.Contains(f.Sentence, want) {
					return fmt.Errorf("the sentence does not say %q: %s", want, f.Sentence)
				}
			}
			return nil
		},
	}
}

// startMeshed starts a server, and a client pod of two processes: the proxy,
// which is the pod's Echo, and the application, which streams.
func startMeshed(ctx context.Context, l *Lab) (*cluster.Echo, error) {
	svc, err := l.Cluster.AddService("server", "server", false)
	if err != nil {
		return nil, err
	}
	if l.Server, err = l.Cluster.StartPod(ctx, drinkingServer()); err != nil {
		return nil, err
	}
	meshed := cluster.PodSpec{Workload: "client", Node: "node-a", Args: []string{"proxy", "--server", svc.Address()}}
	if l.Client, err = l.Cluster.StartPod(ctx, meshed); err != nil {
		return nil, err
	}
	if err := l.Client.SmallBuffers(); err != nil {
		return nil, err
	}
	if err := l.Cluster.Redirect(l.Client, svc.ClusterIP); err != nil {
		return nil, err
	}
	app, err := l.Cluster.StartBeside(l.Client, "app", []string{"client", "--interval", "10ms", "--stream", "16000", "--server", svc.Address()})
	if err != nil {
		return nil, err
	}
	_, err = l.Server.Echo.AwaitKind(ctx, 1, record.Read) // it has come all the way
	return app, err
}
