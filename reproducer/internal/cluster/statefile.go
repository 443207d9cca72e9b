package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"sigs.k8s.io/yaml"
)

// api is what the API says of a cluster, and what follows it: the file and the
// nodes' rules.
type api struct {
	net  *network
	copy string

	mu      sync.Mutex // guards the contents of the file
	started time.Time
	version int
	pods    []*Pod
	svcs    []*Service
	made    int  // Services so far
	mute    bool // the file is not updated
}

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
func (a *api) publish() error {
	if err := a.writeState(); err != nil {
		return err
	}
	return a.syncProxies()
}

// revise changes what the API says, reports it and makes it known.
func (a *api) revise(change func(), report string, args ...any) error {
	a.mu.Lock()
	change()
	a.mu.Unlock()
	a.net.report(report, args...)
	return a.publish()
}

// writeState replaces the file in one step: a reader finds the whole old or the whole new
// one.
func (a *api) writeState() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write cluster state: %w", err)
		}
	}()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	b, err := yaml.Marshal(list{
		APIVersion: "v1", Kind: "List", Items: a.objects(),
		Metadata: map[string]string{"resourceVersion": strconv.Itoa(a.version)},
	})
	if err != nil {
		return err
	}
	if a.copy != "" {
		if err := replace(a.copy, a.copy+".new", b); err != nil {
			return err
		}
	}
	if a.mute {
		return nil
	}
	path := a.StatePath()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replace(path, filepath.Join(a.net.dir, "state.yaml.new"), b)
}

// MuteState makes the file unreadable, like an API that fails, until UnmuteState. The
// nodes' rules and routes continue to follow.
func (a *api) MuteState() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mute = true
	a.net.report("the cluster's records cannot be read")
	return replace(a.StatePath(), filepath.Join(a.net.dir, "state.yaml.new"), []byte("error: the server is currently unable to handle the request\n"))
}

// UnmuteState ends MuteState: a reader of the file has all that changed meanwhile.
func (a *api) UnmuteState() error {
	a.mu.Lock()
	a.mute = false
	a.mu.Unlock()
	a.net.report("the cluster's records can be read again")
	return a.writeState()
}

func replace(path, draft string, content []byte) error {
	if err := os.WriteFile(draft, content, 0o600); err != nil {
		return err
	}
	return os.Rename(draft, path)
}
