package scenario

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/cluster"
)

// API is a real Kubernetes API that the agent reads, in place of the file.
type API struct {
	Kubeconfig string // the agent's; empty: the agent reads the file
	Objects    string // a file with which another program keeps the API in step
}

// source returns the agent's flags for the source of the cluster's records. An
// API is on this process's loopback; source forwards the same address of the
// node's loopback to it.
func (a API) source(n *cluster.Node, c *cluster.Cluster) ([]string, error) {
	if a.Kubeconfig == "" {
		return []string{"--cluster=file", "--cluster-state=" + c.StatePath()}, nil
	}
	address, err := a.address()
	if err != nil {
		return nil, err
	}
	var l net.Listener
	err = n.NS.Do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bring the API to %s: %w", n.Name, err)
	}
	go forward(l, address) // until the process ends, as the node's namespace
	return []string{"--cluster=kubernetes", "--kubeconfig=" + a.Kubeconfig}, nil
}

// address returns the host and port of the kubeconfig's only server.
func (a API) address() (string, error) {
	b, err := os.ReadFile(a.Kubeconfig)
	if err != nil {
		return "", fmt.Errorf("read kubeconfig: %w", err)
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	if err := yaml.Unmarshal(b, &config); err != nil {
		return "", fmt.Errorf("read kubeconfig: %w", err)
	}
	if len(config.Clusters) != 1 {
		return "", fmt.Errorf("kubeconfig %s names %d clusters, want one", a.Kubeconfig, len(config.Clusters))
	}
	server, err := url.Parse(config.Clusters[0].Cluster.Server)
	if err != nil {
		return "", fmt.Errorf("read kubeconfig: %w", err)
	}
	return server.Host, nil
}

// forward passes connections on to the same address in this process's own
// namespace.
func forward(l net.Listener, address string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", address)
		if err != nil {
			_ = in.Close() // to the agent the API is out of reach
			continue
		}
		go pump(out, in)
		go pump(in, out)
	}
}

func pump(to, from net.Conn) {
	_, _ = io.Copy(to, from) // either end closes it for both
	_, _ = to.Close(), from.Close()
}
