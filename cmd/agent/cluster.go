package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// firstSync is how long the first file scan waits for an API. What is judged without
// one is judged again.
const firstSync = 5 * time.Second

// startCluster starts the source of cluster records, and returns it if it is an API.
// A file or a kubeconfig that cannot be read at the start is an error; an API that
// cannot be reached is not.
func startCluster(ctx context.Context, group *errgroup.Group, c config, state *cluster.State) (*kube.API, error) {
	if c.cluster == "none" {
		startNone(c, state)
		return nil, nil
	}
	if c.clusterFile != "" {
		return nil, startFile(ctx, group, c, state)
	}
	access, err := kube.FindAccess(c.kubeconfig)
	switch {
	case c.cluster == "auto" && errors.Is(err, kube.ErrNoAccess):
		startNone(c, state)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("--cluster=%s: %w", c.cluster, err)
	}
	api, err := kube.OpenAPI(kube.APIOptions{Access: access, Node: c.nodeName, State: state, Log: c.log})
	if err != nil {
		return nil, fmt.Errorf("--cluster=%s: %w", c.cluster, err)
	}
	c.log.Info("cluster records come from the Kubernetes API", "server", access.Server(), "node", c.nodeName)
	group.Go(func() error { return api.Run(ctx) })
	waiting, cancel := context.WithTimeout(ctx, firstSync)
	defer cancel()
	api.Await(waiting)
	return api, nil
}

func startNone(c config, state *cluster.State) {
	c.log.Info("no cluster records are read")
	state.SetHealth(true, "none: no cluster records are read", time.Now())
}

func startFile(ctx context.Context, group *errgroup.Group, c config, state *cluster.State) error {
	file, err := kube.OpenFile(ctx, c.clusterFile, state, c.log)
	if err != nil {
		return fmt.Errorf("--cluster-state: %w", err)
	}
	group.Go(func() error { return file.Run(ctx) })
	return nil
}
