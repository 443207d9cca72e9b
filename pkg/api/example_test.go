package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/door"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// A program asks the agent of its node which connections are stuck. Usually the
// socket is /run/tcpstuck/agent.sock.
func ExampleClient_Flows() {
	socket, stop := agent()
	defer stop()

	client := api.NewClient(socket)
	defer client.Close()
	list, err := client.Flows(context.Background(), api.Query{State: api.Live})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range list.Flows {
		fmt.Printf("%s on %s: %s/%s → %s, %s, %d bytes at risk\n",
			f.ID, list.Node, f.Local.Namespace, f.Local.Workload, f.Peer.Addr, f.Cause, f.Unacknowledged+f.Unsent)
	}
	// Output:
	// 1f3a on node-a: default/client → 10.96.0.10:8000, StaleConntrack, 6 bytes at risk
}

// agent answers on a unix socket as an agent with one stuck flow does.
func agent() (socket string, stop func()) {
	folder, err := os.MkdirTemp("", "tcpstuck")
	if err != nil {
		panic(err)
	}
	socket = filepath.Join(folder, "agent.sock")
	ctx, cancel := context.WithCancel(context.Background())
	l, err := api.ListenUnix(ctx, socket)
	if err != nil {
		panic(err)
	}
	log := slog.New(slog.DiscardHandler)
	reader := &flowtest.Reader{Live: []flow.Finding{flowtest.Calico()}, Sources: flowtest.Health()}
	ended := make(chan error, 1)
	go func() {
		ended <- door.Serve(ctx, l, api.Handler(api.Options{Reader: reader, Node: "node-a", Log: log}), log)
	}()
	return socket, func() {
		cancel()
		if err := <-ended; err != nil {
			panic(err)
		}
		_ = os.RemoveAll(folder)
	}
}
