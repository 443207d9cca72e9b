package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// server is as much of an API server as the source needs, in JSON. What it
// leaves out, test/kube has: the real one.
type server struct {
	*httptest.Server

	mu      sync.Mutex
	objects map[string]any // by path
	lists   map[string][]any
	asked   []string // paths of single objects
	events  map[string]chan watch.Event
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{objects: make(map[string]any), lists: make(map[string][]any), events: make(map[string]chan watch.Event)}
	for _, path := range []string{"/api/v1/services", "/api/v1/pods", "/apis/discovery.k8s.io/v1/endpointslices"} {
		s.events[path] = make(chan watch.Event)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.handle))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if events, ok := s.events[r.URL.Path]; ok {
		s.watch(w, r, events)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.Path)
	object, ok := s.objects[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		object = metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 404, Reason: metav1.StatusReasonNotFound,
		}
	}
	_ = json.NewEncoder(w).Encode(object)
}

func (s *server) watch(w http.ResponseWriter, r *http.Request, events <-chan watch.Event) {
	send := func(kind watch.EventType, object any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": kind, "object": object})
		w.(http.Flusher).Flush()
	}
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		s.mu.Lock()
		list := s.lists[r.URL.Path]
		s.mu.Unlock()
		for _, object := range list {
			send(watch.Added, object)
		}
		version, kind := "v1", map[string]string{"services": "Service", "pods": "Pod", "endpointslices": "EndpointSlice"}[filepath.Base(r.URL.Path)]
		if kind == "EndpointSlice" {
			version = "discovery.k8s.io/v1"
		}
		send(watch.Bookmark, map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{
			"resourceVersion": "1", "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"},
		}})
		return
	}
	w.(http.Flusher).Flush()
	for {
		select {
		case e := <-events:
			send(e.Type, e.Object)
		case <-r.Context().Done():
			return
		}
	}
}

// put adds an object that can be read by name.
func (s *server) put(path string, object any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = object
}

func (s *server) kubeconfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	write(t, path, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "`+s.URL+`"}}]
contexts: [{name: x, context: {cluster: c}}]
current-context: x
`)
	return path
}

func apiPod(name, node, ip string) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name), ResourceVersion: "2"},
		Spec:       corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{PodIP: ip},
	}
}

func apiSlice(pods ...*corev1.Pod) *discoveryv1.EndpointSlice {
	es := &discoveryv1.EndpointSlice{
		TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Name: "server-x", ResourceVersion: "2", Labels: map[string]string{discoveryv1.LabelServiceName: "server"}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Port: new(int32(8000))}},
	}
	for _, p := range pods {
		es.Endpoints = append(es.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{p.Status.PodIP}, NodeName: &p.Spec.NodeName,
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		})
	}
	return es
}

// runAPI follows the server as node-a until the test ends.
func runAPI(t *testing.T, s *server) *cluster.State {
	t.Helper()
	return runAPIWithGap(t, s, 0)
}

func runAPIWithGap(t *testing.T, s *server, gap time.Duration) *cluster.State {
	t.Helper()
	access, err := kube.FindAccess(s.kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	state := cluster.New(cluster.Options{MaxStaleness: time.Hour})
	api, err := kube.OpenAPI(kube.APIOptions{Access: access, Node: "node-a", State: state, Log: slog.New(slog.DiscardHandler), Gap: gap})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- api.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	waiting, done := context.WithTimeout(ctx, 5*time.Second)
	defer done()
	api.Await(waiting)
	if h := state.Health(time.Now()); !h.Up {
		t.Fatalf("%+v", h)
	}
	return state
}

func TestAPI(t *testing.T) {
	s := newServer(t)
	server, local := apiPod("server-1", "node-b", "192.168.136.2"), apiPod("client-1", "node-a", "192.168.75.2")
	const slices, pods = "/apis/discovery.k8s.io/v1/endpointslices", "/api/v1/pods"
	s.lists[slices], s.lists[pods] = []any{apiSlice(server)}, []any{local}
	s.lists["/api/v1/services"] = []any{&corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "server"},
		Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.10", Ports: []corev1.ServicePort{{Port: 8000}}},
	}}
	state := runAPI(t, s)
	if _, ok := state.PodByUID("uid-client-1"); !ok {
		t.Error("this node's pod is not known")
	}
	awaitState(t, state, flow.BackendListed)
	// It leaves the slice, and lives.
	s.put("/api/v1/namespaces/default/pods/server-1", server)
	s.events[slices] <- watch.Event{Type: watch.Modified, Object: apiSlice()}
	await(t, state, "word that it lives", func() bool {
		b := state.Backend(backend, time.Now())
		return b.State == flow.BackendUnlisted && strings.Contains(b.How, "is in the list")
	})
	// Its host's address may be its own.
	s.put("/api/v1/nodes/node-b", &corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: "node-b"},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "172.18.0.3"}}},
	})
	other := apiPod("server-2", "node-b", "192.168.136.3")
	s.events[slices] <- watch.Event{Type: watch.Modified, Object: apiSlice(other)}
	s.events[slices] <- watch.Event{Type: watch.Modified, Object: apiSlice()}
	backend := netip.MustParseAddrPort("192.168.136.3:8000")
	eventually(t, "the other is gone, for who was sent there", func() bool {
		return state.BackendVia(backend, netip.MustParseAddrPort("10.96.0.10:8000"), time.Now()).State == flow.BackendDeleted
	})
	if b := state.Backend(backend, time.Now()); b.State != flow.BackendUnlisted || !b.Unverified {
		t.Errorf("its record was not read, and it is %s without a Service: %s", b.State, b.How)
	}
	s.events[pods] <- watch.Event{Type: watch.Deleted, Object: local}
	eventually(t, "this node's pod is gone", func() bool {
		return state.Backend(netip.MustParseAddrPort("192.168.75.2:1"), time.Now()).State == flow.BackendDeleted
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range s.asked {
		if !strings.Contains(path, "/server-") && !strings.Contains(path, "/nodes/node-") {
			t.Errorf("it asked for %s", path)
		}
	}
}

// TestAPIWithoutAnAnswerAboutTheNode: a pod that is gone does not count as gone
// while it is not known whether its address is its node's.
func TestAPIWithoutAnAnswerAboutTheNode(t *testing.T) {
	s := newServer(t)
	server := apiPod("server-1", "node-b", "192.168.136.2")
	const slices = "/apis/discovery.k8s.io/v1/endpointslices"
	s.lists[slices] = []any{apiSlice(server)}
	s.put("/api/v1/nodes/node-b", "no Node")
	state := runAPI(t, s)
	awaitState(t, state, flow.BackendListed)
	s.events[slices] <- watch.Event{Type: watch.Modified, Object: apiSlice()}
	asked := func() (n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, path := range s.asked {
			if strings.HasSuffix(path, "/pods/server-1") {
				n++
			}
		}
		return n
	}
	awaitState(t, state, flow.BackendUnlisted)
	// A question about the listed pod may have been on its way: the second one
	// from here on was sent for the pod that left.
	before := asked()
	eventually(t, "it asks again", func() bool { return asked() > before+1 })
	if b := state.Backend(backend, time.Now()); b.State != flow.BackendUnlisted || b.Unverified {
		t.Errorf("%s: %s", b.State, b.How)
	}
}

func TestFindAccess(t *testing.T) {
	nowhere := func(t *testing.T) string {
		home := t.TempDir()
		t.Setenv("HOME", home)
		t.Setenv("KUBECONFIG", "")
		t.Setenv("KUBERNETES_SERVICE_HOST", "")
		return home
	}
	t.Run("nowhere", func(t *testing.T) {
		nowhere(t)
		if _, err := kube.FindAccess(""); !errors.Is(err, kube.ErrNoAccess) {
			t.Errorf("%v", err)
		}
	})
	t.Run("at home", func(t *testing.T) {
		dir := filepath.Join(nowhere(t), ".kube")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s := &server{Server: &httptest.Server{URL: "https://192.0.2.1:6443"}}
		if err := os.Rename(s.kubeconfig(t), filepath.Join(dir, "config")); err != nil {
			t.Fatal(err)
		}
		if a, err := kube.FindAccess(""); err != nil || a.Server() != s.URL {
			t.Errorf("%+v, %v", a, err)
		}
	})
	t.Run("broken", func(t *testing.T) {
		nowhere(t)
		path := filepath.Join(t.TempDir(), "config")
		write(t, path, "clusters: [\n- {\n")
		t.Setenv("KUBECONFIG", path)
		for _, explicit := range []string{"", path, path + ".absent"} {
			_, err := kube.FindAccess(explicit)
			if err == nil || errors.Is(err, kube.ErrNoAccess) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
				t.Errorf("%q: %v", explicit, err)
			}
		}
	})
}

// A server that ends says so: its records are out of date since then, and not
// since some time before.
func TestAPIThatEnds(t *testing.T) {
	s := newServer(t)
	state := runAPIWithGap(t, s, 100*time.Millisecond)
	ended := time.Now()
	_ = s.Listener.Close()
	s.CloseClientConnections()
	await(t, state, "it is down", func() bool { return !state.Health(time.Now()).Up })
	detail := state.Health(time.Now()).Detail
	for at := ended; at.Before(time.Now().Add(time.Second)); at = at.Add(time.Second) {
		if strings.HasSuffix(detail, ", since "+at.UTC().Format(time.TimeOnly)) {
			return
		}
	}
	t.Errorf("%q, and it ended at %v", detail, ended.UTC())
}
