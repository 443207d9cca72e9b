package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"sigs.k8s.io/yaml"
)

// list is what `kubectl get services,endpointslices,pods,nodes -A -o yaml`
// prints.
type list struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Items      []any             `json:"items"`
	Metadata   map[string]string `json:"metadata"`
}

// publish makes a change of the cluster known: first in the file that agents
// watch, then in the nodes' rules, which follow the API in a real cluster, too.
func (c *Cluster) publish() error {
	if err := c.writeState(); err != nil {
		return err
	}
	return c.syncProxies()
}

// writeState replaces the file in one step: a reader finds the whole old or the whole new
// one.
func (c *Cluster) writeState() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write cluster state: %w", err)
		}
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	b, err := yaml.Marshal(list{
		APIVersion: "v1", Kind: "List", Items: c.objects(),
		Metadata: map[string]string{"resourceVersion": strconv.Itoa(c.version)},
	})
	if err != nil {
		return err
	}
	if c.copy != "" {
		if err := replace(c.copy, c.copy+".new", b); err != nil {
			return err
		}
	}
	if c.mute {
		return nil
	}
	path := c.StatePath()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replace(path, filepath.Join(c.dir, "state.yaml.new"), b)
}

// MuteState makes the file unreadable, like an API that fails, until UnmuteState. The
// nodes' rules and routes continue to follow.
func (c *Cluster) MuteState() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute = true
	c.report("the cluster's records cannot be read")
	return replace(c.StatePath(), filepath.Join(c.dir, "state.yaml.new"), []byte("error: the server is currently unable to handle the request\n"))
}

// UnmuteState ends MuteState: a reader of the file has all that changed meanwhile.
func (c *Cluster) UnmuteState() error {
	c.mu.Lock()
	c.mute = false
	c.mu.Unlock()
	c.report("the cluster's records can be read again")
	return c.writeState()
}

func replace(path, draft string, content []byte) error {
	if err := os.WriteFile(draft, content, 0o600); err != nil {
		return err
	}
	return os.Rename(draft, path)
}
