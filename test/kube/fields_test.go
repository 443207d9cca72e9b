package kube_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// all returns the objects of a type that a kustomization renders.
func all[T runtime.Object](t *testing.T, dir string) []T {
	t.Helper()
	var found []T
	for _, object := range render(t, dir) {
		if o, ok := must[runtime.Object](t)(strictly(object)).(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// only returns the one object of a type that a kustomization renders.
func only[T runtime.Object](t *testing.T, dir string) T {
	t.Helper()
	found := all[T](t, dir)
	if len(found) != 1 {
		t.Fatalf("%s: %d objects of %T", dir, len(found), *new(T))
	}
	return found[0]
}

// field is one of a manifest that the server would take with another value.
type field struct {
	name      string
	want, got any
}

func check(t *testing.T, fields []field) {
	t.Helper()
	for _, f := range fields {
		if diff := cmp.Diff(f.want, f.got); diff != "" {
			t.Errorf("%s: -want +got\n%s", f.name, diff)
		}
	}
}

func probe(path string) corev1.HTTPGetAction {
	return corev1.HTTPGetAction{Port: intstr.FromString("metrics"), Path: path}
}

// loopbackProbe is one that knows no certificate.
func loopbackProbe(path string) corev1.HTTPGetAction {
	return corev1.HTTPGetAction{Host: "127.0.0.1", Port: intstr.FromInt32(9798), Path: path}
}

func TestFieldsOfTheDaemonSet(t *testing.T) {
	ds := only[*appsv1.DaemonSet](t, "../../deploy")
	pod := ds.Spec.Template.Spec
	c := pod.Containers[0]
	check(t, []field{
		{"selector", ds.Spec.Template.Labels, ds.Spec.Selector.MatchLabels},
		{"update", appsv1.RollingUpdateDaemonSetStrategyType, ds.Spec.UpdateStrategy.Type},
		{"tolerations", []corev1.Toleration{{Operator: corev1.TolerationOpExists}}, pod.Tolerations},
		{"priority class", only[*schedulingv1.PriorityClass](t, "../../deploy").Name, pod.PriorityClassName},
		{"service account", only[*corev1.ServiceAccount](t, "../../deploy").Name, pod.ServiceAccountName},
		{"arguments", []string{"--cluster=kubernetes"}, c.Args},
		{"environment", []corev1.EnvVar{{Name: "TCPSTUCK_NODE_NAME", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"},
		}}}, c.Env},
		{"ports", []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9797, HostPort: 9797}}, c.Ports},
		{"read-only root", new(true), c.SecurityContext.ReadOnlyRootFilesystem},
		{"liveness", probe("/healthz"), *c.LivenessProbe.HTTPGet},
		{"readiness", probe("/readyz"), *c.ReadinessProbe.HTTPGet},
		{"mounts", []corev1.VolumeMount{{Name: "run", MountPath: "/run/tcpstuck"}}, c.VolumeMounts},
		{"volumes", 1, len(pod.Volumes)},
		{"socket's volume", "run", pod.Volumes[0].Name},
		{"socket in memory", corev1.StorageMediumMemory, pod.Volumes[0].EmptyDir.Medium},
		{"pod security of the namespace", "privileged", only[*corev1.Namespace](t, "../../deploy").Labels["pod-security.kubernetes.io/enforce"]},
	})
}

// TestFieldsOfTheTLSComponent: the Secrets and the folders are those that
// docs/operations.md has people make and write.
func TestFieldsOfTheTLSComponent(t *testing.T) {
	pod := only[*appsv1.DaemonSet](t, "testdata/tls").Spec.Template.Spec
	mounted := map[string]string{} // folder: Secret
	for _, m := range pod.Containers[0].VolumeMounts {
		for _, v := range pod.Volumes {
			if v.Name == m.Name && v.Secret != nil && *v.Secret.DefaultMode == 0o440 {
				mounted[m.MountPath] = v.Secret.SecretName
			}
		}
	}
	documented := regexp.MustCompile(`create secret (?:tls|generic) (\S+)|cert_file: (\S+)/tls.crt`).FindAllStringSubmatch(read(t, "../../docs/operations.md"), -1)
	if len(documented) != 3 {
		t.Fatalf("docs/operations.md: %q", documented)
	}
	check(t, []field{
		{"group", pod.SecurityContext.RunAsGroup, pod.SecurityContext.FSGroup},
		{"liveness", loopbackProbe("/healthz"), *pod.Containers[0].LivenessProbe.HTTPGet},
		{"readiness", loopbackProbe("/readyz"), *pod.Containers[0].ReadinessProbe.HTTPGet},
		{"mounts", map[string]string{documented[1][2]: documented[0][1], "/etc/tcpstuck": documented[2][1]}, mounted},
		{"file", true, slices.Contains(pod.Containers[0].Env, corev1.EnvVar{Name: "TCPSTUCK_WEB_CONFIG_FILE", Value: "/etc/tcpstuck/web-config.yml"})},
	})
}

// TestFieldsOfThePodMonitor: it finds the agents, and calls them what the
// alerts do.
func TestFieldsOfThePodMonitor(t *testing.T) {
	template := only[*appsv1.DaemonSet](t, "../../deploy").Spec.Template
	monitor := only[*monitoringv1.PodMonitor](t, "../../deploy/monitoring")
	endpoint := monitor.Spec.PodMetricsEndpoints[0]
	labels := map[string]string{}
	for _, r := range endpoint.RelabelConfigs {
		for _, source := range r.SourceLabels {
			labels[r.TargetLabel] = string(source)
		}
	}
	job := template.Labels[monitor.Spec.JobLabel]
	for _, said := range regexp.MustCompile(`job="([^"]*)"`).FindAllStringSubmatch(read(t, "../../deploy/monitoring/rules.yaml"), -1) {
		check(t, []field{{"job", said[1], job}})
	}
	const node = "__meta_kubernetes_pod_node_name"
	check(t, []field{
		{"namespace", only[*appsv1.DaemonSet](t, "../../deploy").Namespace, monitor.Namespace},
		{"selector", metav1.LabelSelector{MatchLabels: template.Labels}, monitor.Spec.Selector},
		{"port", &template.Spec.Containers[0].Ports[0].Name, endpoint.Port},
		{"relabeling", map[string]string{"node": node, "instance": node}, labels},
	})
}

// TestFieldsOfTheEcho: nothing hangs if client and server share a node, or if the
// server closes its connections on SIGTERM.
func TestFieldsOfTheEcho(t *testing.T) {
	other := map[string]string{"server": "client", "client": "server"}
	arguments := map[string][]string{"server": {"server", "--catch-sigterm"}, "client": {"client", "--server", "server:8000", "--interval", "5s"}}
	deployments := all[*appsv1.Deployment](t, "../../reproducer/kind")
	check(t, []field{{"deployments", len(other), len(deployments)}})
	for _, d := range deployments {
		labels := map[string]string{"app": d.Name}
		pod := d.Spec.Template.Spec
		check(t, []field{
			{d.Name + ": labels", labels, d.Spec.Template.Labels},
			{d.Name + ": selector", labels, d.Spec.Selector.MatchLabels},
			{d.Name + ": arguments", arguments[d.Name], pod.Containers[0].Args},
			{d.Name + ": affinity", []corev1.PodAffinityTerm{{
				TopologyKey:   "kubernetes.io/hostname",
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": other[d.Name]}},
			}}, pod.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution},
		})
	}
	service := only[*corev1.Service](t, "../../reproducer/kind")
	check(t, []field{{"service", map[string]string{"app": service.Name}, service.Spec.Selector}})
}
