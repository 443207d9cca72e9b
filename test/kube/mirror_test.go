package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

// mirror keeps a real API in step with the objects in a file, as the
// reproducer writes it. UIDs are the API's own.
type mirror struct {
	admin kubernetes.Interface
	pods  map[string]*corev1.Pod // by name
	seen  map[string]string      // what was written of each object
	uids  map[types.UID]types.UID
}

// mirrorFile runs a mirror until the test ends.
func mirrorFile(t *testing.T, e *environment, path string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	m := &mirror{e.admin, map[string]*corev1.Pod{}, map[string]string{}, map[types.UID]types.UID{}}
	go func() { ended <- m.run(ctx, path) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("mirror: %v", err)
		}
	})
}

func (m *mirror) run(ctx context.Context, path string) error {
	last := ""
	for ; ctx.Err() == nil; time.Sleep(3 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err != nil || string(b) == last {
			continue
		}
		last = string(b)
		if err := m.apply(ctx, b); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// apply makes the API what the file says: pods first, since slices name them.
func (m *mirror) apply(ctx context.Context, file []byte) error {
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := yaml.Unmarshal(file, &list); err != nil {
		return err
	}
	present := make(map[string]bool)
	slices := make(map[string]json.RawMessage)
	for _, raw := range list.Items {
		var head metav1.PartialObjectMetadata
		if err := json.Unmarshal(raw, &head); err != nil {
			return err
		}
		id := head.Kind + " " + head.Name
		present[id] = true
		if head.Kind == "EndpointSlice" {
			slices[id] = raw
			continue
		}
		if err := m.changed(id, raw, func() error { return m.write(ctx, head.Kind, raw) }); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	for id := range m.seen {
		if present[id] {
			continue
		}
		delete(m.seen, id)
		if err := m.remove(ctx, id); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	for id, raw := range slices {
		if err := m.changed(id, raw, func() error { return m.slice(ctx, raw) }); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

// remove deletes what the file shows no more, a pod by force.
func (m *mirror) remove(ctx context.Context, id string) error {
	kind, name, _ := strings.Cut(id, " ")
	switch kind {
	case "Pod":
		delete(m.pods, name)
		return m.admin.CoreV1().Pods(namespace).Delete(ctx, name, *metav1.NewDeleteOptions(0))
	case "Service":
		return m.admin.CoreV1().Services(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	case "EndpointSlice":
		return m.admin.DiscoveryV1().EndpointSlices(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	}
	return fmt.Errorf("it cannot be removed")
}

// changed writes an object that is not as it was last written.
func (m *mirror) changed(id string, raw json.RawMessage, write func() error) error {
	if m.seen[id] == string(raw) {
		return nil
	}
	m.seen[id] = string(raw)
	return write()
}

func (m *mirror) write(ctx context.Context, kind string, raw json.RawMessage) error {
	switch kind {
	case "Service":
		var s corev1.Service
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		services := m.admin.CoreV1().Services(s.Namespace)
		if _, err := services.Get(ctx, s.Name, metav1.GetOptions{}); err == nil {
			return nil // only its UID is another
		}
		_, err := services.Create(ctx, &s, metav1.CreateOptions{})
		return err
	case "Node":
		var n corev1.Node
		if err := json.Unmarshal(raw, &n); err != nil {
			return err
		}
		made, err := m.admin.CoreV1().Nodes().Create(ctx, &n, metav1.CreateOptions{})
		if err != nil {
			return ignoreExists(err)
		}
		made.Status = n.Status
		_, err = m.admin.CoreV1().Nodes().UpdateStatus(ctx, made, metav1.UpdateOptions{})
		return err
	case "Pod":
		return m.pod(ctx, raw)
	}
	return fmt.Errorf("unexpected kind %s", kind)
}

func (m *mirror) pod(ctx context.Context, raw json.RawMessage) error {
	var p corev1.Pod
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	pods := m.admin.CoreV1().Pods(p.Namespace)
	if made, there := m.pods[p.Name]; there {
		if p.DeletionTimestamp != nil {
			return pods.Delete(ctx, p.Name, *metav1.NewDeleteOptions(30))
		}
		made.Labels = p.Labels
		changed, err := pods.Update(ctx, made, metav1.UpdateOptions{})
		m.pods[p.Name] = changed
		return err
	}
	for i := range p.OwnerReferences {
		p.OwnerReferences[i].UID = "of-no-object"
	}
	made, err := pods.Create(ctx, &p, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	m.uids[p.UID] = made.UID
	made.Status = p.Status
	m.pods[p.Name], err = pods.UpdateStatus(ctx, made, metav1.UpdateOptions{})
	return err
}

func (m *mirror) slice(ctx context.Context, raw json.RawMessage) error {
	var s discoveryv1.EndpointSlice
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	s.OwnerReferences = nil
	for _, endpoint := range s.Endpoints {
		if endpoint.TargetRef != nil {
			endpoint.TargetRef.UID = m.uids[endpoint.TargetRef.UID]
		}
	}
	slices := m.admin.DiscoveryV1().EndpointSlices(s.Namespace)
	old, err := slices.Get(ctx, s.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = slices.Create(ctx, &s, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	s.ResourceVersion = old.ResourceVersion
	_, err = slices.Update(ctx, &s, metav1.UpdateOptions{})
	return err
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
