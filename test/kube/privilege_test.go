package kube_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/tcpstuck/tcpstuck/internal/privileges"
)

// granted adds up what the objects of a kustomization grant.
func granted(t *testing.T, dir string) privileges.List {
	t.Helper()
	var list privileges.List
	for _, object := range render(t, dir) {
		switch o := must[runtime.Object](t)(strictly(object)).(type) {
		case *appsv1.DaemonSet:
			for _, c := range slices.Concat(o.Spec.Template.Spec.InitContainers, o.Spec.Template.Spec.Containers) {
				if !slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}) {
					t.Errorf("%s: container %s does not drop ALL", dir, c.Name)
				}
				for _, added := range c.SecurityContext.Capabilities.Add {
					list.Capabilities = append(list.Capabilities, string(added))
				}
			}
		case *rbacv1.ClusterRole:
			list.Kubernetes = append(list.Kubernetes, permissions(o.Rules)...)
		case *rbacv1.Role:
			list.Kubernetes = append(list.Kubernetes, permissions(o.Rules)...)
		}
	}
	slices.Sort(list.Capabilities)
	slices.Sort(list.Kubernetes)
	return list
}

func permissions(rules []rbacv1.PolicyRule) []string {
	var all []string
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			for _, group := range rule.APIGroups {
				for _, verb := range rule.Verbs {
					all = append(all, strings.TrimSuffix(verb+" "+resource+"."+group, "."))
				}
			}
		}
		if len(rule.NonResourceURLs) > 0 {
			all = append(all, "a path that is no resource")
		}
	}
	return all
}

func TestManifestsGrantWhatIsListed(t *testing.T) {
	want := must[privileges.List](t)(privileges.Read("../../deploy/privileges.txt"))
	for _, dir := range []string{"../../deploy", "testdata/tls"} {
		if diff := cmp.Diff(want, granted(t, dir)); diff != "" {
			t.Errorf("%s: -listed +granted\n%s", dir, diff)
		}
	}
}

// beyond is all that the agent's pod has and the strictest of the Pod Security
// Standards forbids.
const beyond = `host namespaces (hostNetwork=true, hostPID=true)` +
	`, hostPort (container "agent" uses hostPort 9797)` +
	`, unrestricted capabilities (container "agent" must not include "BPF", "NET_ADMIN", "PERFMON" in securityContext.capabilities.add)`

// TestPodAsksForLittle has the server's own admission say what of the agent's
// pod goes beyond "restricted", and try it in the namespace that it gets.
func TestPodAsksForLittle(t *testing.T) {
	e := start(t)
	var pod corev1.Pod
	for _, object := range render(t, "../../deploy") {
		if ds, ok := must[runtime.Object](t)(strictly(object)).(*appsv1.DaemonSet); ok {
			pod = corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent", Labels: ds.Spec.Template.Labels}, Spec: ds.Spec.Template.Spec}
		}
	}
	pod.Spec.PriorityClassName = "" // it is not there
	dryRun := func(namespace string) error {
		_, err := e.admin.CoreV1().Pods(namespace).Create(t.Context(), &pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	if err := dryRun("tcpstuck"); err != nil {
		t.Errorf("in its own namespace: %v", err)
	}
	must[*corev1.Namespace](t)(e.admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "strict", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{}))
	err := dryRun("strict")
	if !apierrors.IsForbidden(err) {
		t.Fatalf("%v", err)
	}
	_, violations, _ := strings.Cut(err.Error(), `violates PodSecurity "restricted:latest": `)
	if diff := cmp.Diff(beyond, violations); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestPodHasALimitForEverything: what cannot be limited is not asked for.
func TestPodHasALimitForEverything(t *testing.T) {
	for _, object := range render(t, "../../deploy") {
		ds, ok := must[runtime.Object](t)(strictly(object)).(*appsv1.DaemonSet)
		if !ok {
			continue
		}
		c := ds.Spec.Template.Spec.Containers[0]
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			if c.Resources.Requests.Name(name, "").IsZero() || c.Resources.Limits.Name(name, "").IsZero() {
				t.Errorf("no request or limit for %s: %s", name, must[[]byte](t)(json.Marshal(c.Resources)))
			}
		}
		if c.ImagePullPolicy == corev1.PullAlways {
			t.Error("a loaded image would be pulled")
		}
	}
}
