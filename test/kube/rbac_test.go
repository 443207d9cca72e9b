package kube_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// request is what the audit log says of one.
type request struct {
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource string `json:"resource"`
		Name     string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// requests returns what the agent asked so far, as the server wrote it down.
func (e *environment) requests(t *testing.T) []request {
	t.Helper()
	file := must[*os.File](t)(os.Open(e.audit))
	defer file.Close()
	var all []request
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.User.Username == "system:serviceaccount:tcpstuck:tcpstuck-agent" {
			all = append(all, r)
		}
	}
	return all
}

// useEverything has the source do all that it ever does.
func useEverything(t *testing.T, e *environment) {
	t.Helper()
	s := follow(t, e.kubeconfig(t, "", nil))
	s.awaitUp(t, true)
	forced(t, e, s)
	local(t, e, s)
	events := eventsAs(t, e)
	for range 2 {
		if err := events.Observe(t.Context(), kube.Event{Reason: "TCPStuckUnknown", Note: "twice"}, 1); err != nil {
			t.Error(err)
		}
	}
}

// TestEveryRuleIsUsed reads in the audit log what the agent asked for, and
// compares it with what it may ask for.
func TestEveryRuleIsUsed(t *testing.T) {
	used := make(map[string]bool)
	for _, gate := range []string{"feature-gates=WatchList=true", "feature-gates=WatchList=false"} {
		e := start(t, gate)
		e.node(t, "node-a", "172.18.0.2")
		e.node(t, "node-b", "172.18.0.3")
		t.Run(gate, func(t *testing.T) { useEverything(t, e) }) // its watches end with it: an open one is not in the log
		for _, r := range e.requests(t) {
			if r.ResponseStatus.Code >= 400 && r.ResponseStatus.Code != 404 && r.ResponseStatus.Code != 409 && r.ResponseStatus.Code != 422 { // 409: an Event that there is
				t.Errorf("%s %s: %d", r.Verb, r.RequestURI, r.ResponseStatus.Code)
			}
			used[r.Verb+" "+r.ObjectRef.Resource] = true
			neverByAddress(t, r)
		}
		allowed := make(map[string]bool)
		role := must[*rbacv1.ClusterRole](t)(e.admin.RbacV1().ClusterRoles().Get(t.Context(), "tcpstuck-agent", metav1.GetOptions{}))
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					allowed[verb+" "+resource] = true
				}
			}
		}
		if gate == "feature-gates=WatchList=true" {
			continue
		}
		// What kubectl needs, and this source does not.
		for _, other := range []string{"get services", "get endpointslices"} {
			delete(allowed, other)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(allowed)), slices.Sorted(maps.Keys(used))); diff != "" {
			t.Errorf("-allowed +used\n%s", diff)
		}
	}
}

// neverByAddress: pods are read by name, or as those of this node; never as
// those that have an address, which makes a server look at all of them.
func neverByAddress(t *testing.T, r request) {
	t.Helper()
	u := must[*url.URL](t)(url.Parse(r.RequestURI))
	selector := u.Query().Get("fieldSelector")
	ok := selector == ""
	if r.ObjectRef.Resource == "pods" {
		ok = r.Verb == "get" && r.ObjectRef.Name != "" || selector == "spec.nodeName=node-a"
	}
	if !ok || u.Query().Get("labelSelector") != "" {
		t.Errorf("%s %s", r.Verb, r.RequestURI)
	}
}

// TestEveryRuleIsNeeded takes one away at a time.
func TestEveryRuleIsNeeded(t *testing.T) {
	e := start(t)
	e.node(t, "node-b", "172.18.0.3")
	roles := e.admin.RbacV1().ClusterRoles()
	whole := must[*rbacv1.ClusterRole](t)(roles.Get(t.Context(), "tcpstuck-agent", metav1.GetOptions{}))
	for i, rule := range whole.Rules {
		resource := rule.Resources[0]
		t.Run(resource, func(t *testing.T) {
			role := must[*rbacv1.ClusterRole](t)(roles.Get(t.Context(), "tcpstuck-agent", metav1.GetOptions{}))
			role.Rules = slices.Delete(slices.Clone(whole.Rules), i, i+1)
			must[*rbacv1.ClusterRole](t)(roles.Update(t.Context(), role, metav1.UpdateOptions{}))
			time.Sleep(200 * time.Millisecond) // until the authorizer has seen it
			if resource == "events" {
				err := eventsAs(t, e).Observe(t.Context(), kube.Event{Reason: "TCPStuckUnknown", Note: "refused"}, 1)
				if err == nil || !strings.Contains(err.Error(), "cannot create resource \"events\"") {
					t.Errorf("%v", err)
				}
				return
			}
			s := follow(t, e.kubeconfig(t, "", nil))
			switch resource {
			case "services", "pods", "endpointslices":
				await(t, "a health that says why", func() bool {
					h := s.health()
					return !h.Up && strings.Contains(h.Detail, "forbidden") && strings.Contains(h.Detail, resource)
				})
			case "nodes":
				s.awaitUp(t, true)
				p := e.pod(t, "unsure", "node-b", "10.5.0.1")
				e.slice(t, "unsure-x", "unsure", endpoint(p))
				s.awaitState(t, "10.5.0.1:8000", flow.BackendListed)
				e.deletePod(t, p.Name, 0)
				e.slice(t, "unsure-x", "unsure")
				s.awaitState(t, "10.5.0.1:8000", flow.BackendUnlisted)
				s.never(t, "10.5.0.1:8000", flow.BackendDeleted, 500*time.Millisecond) // it may be the node's
				await(t, "a warning", func() bool { return strings.Contains(s.log.String(), "refuses") })
			case "jobs":
				s.awaitUp(t, true)
				p := e.pod(t, "backup-1-x", "node-a", "10.5.0.2", controller("Job", "backup-1"))
				await(t, "a refusal", func() bool { return strings.Contains(s.log.String(), `cannot get resource \"jobs\"`) })
				if got, ok := s.PodByUID(string(p.UID)); !ok || got.Workload != "backup-1" {
					t.Errorf("the pod goes by %q", got.Workload)
				}
			}
		})
	}
}
