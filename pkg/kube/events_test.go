package kube_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// board is as much of an API server as Events need.
type board struct {
	mu     sync.Mutex
	events map[string]*eventsv1.Event // by path
	asked  []string
}

func (b *board) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, r.Method)
	w.Header().Set("Content-Type", "application/json")
	there, code := b.events[r.URL.Path], http.StatusOK
	switch r.Method {
	case http.MethodPost:
		scheme := runtime.NewScheme()
		_ = eventsv1.AddToScheme(scheme)
		var ev eventsv1.Event
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		if _, _, err := protobuf.NewSerializer(scheme, scheme).Decode(body, nil, &ev); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		path := r.URL.Path + "/" + ev.Name
		if b.events[path] != nil {
			code = http.StatusConflict
			break
		}
		b.events[path], there = &ev, &ev
	case http.MethodPatch:
		if err := json.NewDecoder(r.Body).Decode(there); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	if code != http.StatusOK {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: int32(code), Reason: metav1.StatusReasonAlreadyExists,
		})
		return
	}
	there.APIVersion, there.Kind = "events.k8s.io/v1", "Event"
	_ = json.NewEncoder(w).Encode(there)
}

func openEvents(t *testing.T, b *board) *kube.Events {
	t.Helper()
	s := &server{Server: httptest.NewServer(b)}
	t.Cleanup(s.Close)
	access, err := kube.FindAccess(s.kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	api, err := kube.OpenAPI(kube.APIOptions{Access: access, Node: "node-a", State: cluster.New(cluster.Options{}), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return api.Events()
}

func TestEventsAreCounted(t *testing.T) {
	b := &board{events: map[string]*eventsv1.Event{}}
	e := openEvents(t, b)
	pod := kube.Event{Pod: kube.PodRef{Namespace: "default", Name: strings.Repeat("long.", 50) + "x", UID: "u"}, Service: "shop/db", Reason: "TCPStuckUnknown", Note: strings.Repeat("ü", 600), Warning: true}
	node := kube.Event{Reason: "TCPStuckMore", Note: "more"}
	for _, step := range []error{
		e.Observe(t.Context(), pod, 1), e.Observe(t.Context(), pod, 4), e.Observe(t.Context(), pod, 2), e.Observe(t.Context(), pod, 0),
		e.Observe(t.Context(), node, 995), e.Observe(t.Context(), node, 0),
	} {
		if step != nil {
			t.Error(step)
		}
	}
	counts := map[string]int32{}
	for path, ev := range b.events {
		counts[ev.Regarding.Kind+" "+ev.Reason] = ev.Series.Count
		if len(ev.Name) > 253 || len(ev.Note) > 1024 || !strings.HasSuffix(path, "/namespaces/default/events/"+ev.Name) {
			t.Errorf("%s: name of %d bytes, note of %d", path, len(ev.Name), len(ev.Note))
		}
		if ev.Related != nil && (ev.Related.Namespace != "shop" || ev.Related.Name != "db") {
			t.Errorf("related %+v", ev.Related)
		}
	}
	if diff := cmp.Diff(map[string]int32{"Pod TCPStuckUnknown": 7, "Node TCPStuckMore": 995}, counts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	const post, count = "POST", "POST PATCH PATCH"
	if diff := cmp.Diff(strings.Join([]string{post, count, count, post, post, post}, " "), strings.Join(b.asked, " ")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
