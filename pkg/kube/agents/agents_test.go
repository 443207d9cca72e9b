package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// open returns the cluster of a server. Exec against a real one is in
// test/kube.
func open(t *testing.T, h http.HandlerFunc) *Cluster {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	path := filepath.Join(t.TempDir(), "config")
	config := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}, {name: d, cluster: {server: "http://192.0.2.1"}}]
contexts: [{name: x, context: {cluster: c}}, {name: other, context: {cluster: d}}]
current-context: other
`, s.URL)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(Options{Kubeconfig: path, Context: "x", Namespace: "tcpstuck"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pod(name, node string, phase corev1.PodPhase, containers ...string) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: phase}}
	for _, c := range containers {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: c})
	}
	return p
}

// waiting is a pod that no node has room for, as a DaemonSet makes it for one.
func waiting(name, node string) corev1.Pod {
	p := pod(name, "", corev1.PodPending, "agent")
	p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/os", Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}}},
			MatchFields:      []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
		}},
	}}}
	return p
}

func TestAgents(t *testing.T) {
	old := pod("old", "node-a", corev1.PodRunning, "agent")
	old.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	c := open(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/namespaces/tcpstuck/pods" || r.URL.Query().Get("labelSelector") != selector {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{
			pod("pending", "node-c", corev1.PodPending, "agent"), old, pod("new", "node-a", corev1.PodRunning, "proxy", "agent"),
			pod("own", "node-b", corev1.PodRunning, "tcpstuck"), pod("for-any-node", "", corev1.PodPending, "agent"),
			waiting("unscheduled", "node-d"), waiting("next", "node-b"),
		}})
	})
	got, err := c.Agents(t.Context())
	want := []Agent{
		{Node: "node-a", Pod: "new", Container: "agent"}, {Node: "node-b", Pod: "own", Container: "tcpstuck"},
		{Node: "node-c", Pod: "pending", Container: "agent", Problem: "its agent, pod pending, is Pending"},
		{Node: "node-d", Pod: "unscheduled", Container: "agent", Problem: "its agent, pod unscheduled, is Pending"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got\n%s", err, diff)
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	c := open(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: 403, Reason: "Forbidden",
			Message: "you may\nnot " + strings.ToLower(r.Method),
		})
	})
	if _, err := c.Agents(t.Context()); err == nil || err.Error() != "list the agents' pods: you may not get" {
		t.Errorf("%v", err)
	}
	code, err := c.Exec(t.Context(), Agent{Pod: "p"}, []string{"tcpstuck"}, io.Discard, io.Discard)
	if err == nil || code != 0 || !strings.Contains(err.Error(), "exec in pod p: ") || !strings.Contains(err.Error(), "you may not post") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%d %v", code, err)
	}
	if _, err := Open(Options{Kubeconfig: "/nowhere"}); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

func TestASilentServerIsLeft(t *testing.T) {
	ended := make(chan struct{})
	c := open(t, func(http.ResponseWriter, *http.Request) { <-ended })
	defer close(ended)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Exec(ctx, Agent{Pod: "p"}, []string{"tcpstuck"}, io.Discard, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestReason(t *testing.T) {
	for text, want := range map[string]string{
		`Internal error occurred: error sending request: Post "https://10.0.0.9:10250/exec/a/b?command=x": dial tcp 10.0.0.9:10250: connect: connection refused`: "the kubelet cannot be reached: dial tcp 10.0.0.9:10250: connect: connection refused",
		"error dialing backend: dial tcp 10.0.0.9:10250: connect: no route to host":                                                                              "the kubelet cannot be reached: dial tcp 10.0.0.9:10250: connect: no route to host",
		`pods "p" is forbidden`: `pods "p" is forbidden`,
	} {
		if got := reason(text); got != want {
			t.Errorf("%q", got)
		}
	}
}
