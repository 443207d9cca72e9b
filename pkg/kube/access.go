package kube

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ErrNoAccess is returned if nothing says how to reach an API.
var ErrNoAccess = errors.New("neither in a cluster, nor is there a kubeconfig")

// Access is how to reach a Kubernetes API, and as which user.
type Access struct{ config *rest.Config }

// FindAccess reads the kubeconfig at path. If path is empty it takes the first
// of these that exists: the ServiceAccount of the pod that it runs in,
// $KUBECONFIG, ~/.kube/config. If none exists it returns ErrNoAccess. It does
// not try the access.
func FindAccess(path string) (Access, error) {
	if path == "" {
		config, err := rest.InClusterConfig()
		if err == nil {
			return Access{config}, nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return Access{}, fmt.Errorf("read ServiceAccount: %w", err)
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	named := os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != ""
	if home, err := os.UserHomeDir(); err == nil && !named {
		rules.Precedence = []string{filepath.Join(home, clientcmd.RecommendedHomeDir, clientcmd.RecommendedFileName)}
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err) && path == "" && !named:
		return Access{}, ErrNoAccess
	case err != nil:
		return Access{}, fmt.Errorf("read kubeconfig: %s", oneLine(err))
	}
	return Access{config}, nil
}

// Server returns the address of the API.
func (a Access) Server() string { return a.config.Host }

// oneLine returns an error's text without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
