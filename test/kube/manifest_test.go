package kube_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/restmapper"
	kindv1alpha4 "sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// kustomizations are what people apply with kubectl apply -k. The component
// deploy/tls is none by itself: one in testdata has it.
func kustomizations(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, root := range []string{"../../deploy", "../../reproducer", "testdata"} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Name() == "kustomization.yaml" && path != "../../deploy/tls/kustomization.yaml" {
				dirs = append(dirs, filepath.Dir(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dirs
}

// render returns the objects of a kustomization as JSON.
func render(t *testing.T, dir string) [][]byte {
	t.Helper()
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("kustomize %s: %v", dir, err)
	}
	var all [][]byte
	for _, object := range objects.Resources() {
		all = append(all, must[[]byte](t)(object.MarshalJSON()))
	}
	return all
}

// strictly decodes an object of Kubernetes or of the Prometheus operator; a
// field that its type does not have is an error.
func strictly(object []byte) (runtime.Object, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, monitoringv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	decoded, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode(object, nil, nil)
	return decoded, err
}

// TestManifestsDecodeStrictly also reads the files as they are: rendering
// would hide a field that is there twice.
func TestManifestsDecodeStrictly(t *testing.T) {
	dirs := kustomizations(t)
	if len(dirs) == 0 {
		t.Fatal("no kustomizations")
	}
	for _, dir := range dirs {
		for _, object := range render(t, dir) {
			if _, err := strictly(object); err != nil {
				t.Errorf("%s: %v\n%s", dir, err, object)
			}
		}
		for _, path := range must[[]string](t)(filepath.Glob(dir + "/*.yaml")) {
			content := must[[]byte](t)(os.ReadFile(path))
			for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
				var as map[string]any
				if err := yaml.UnmarshalStrict(document, &as); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
		}
	}
}

func TestStrictMeansStrict(t *testing.T) {
	for _, wrong := range []string{
		`{"apiVersion":"apps/v1","kind":"DaemonSet","spec":{"template":{"spec":{"hostNetworks":true}}}}`,
		`{"apiVersion":"monitoring.coreos.com/v1","kind":"PodMonitor","spec":{"podMetricsEndpoint":[]}}`,
		`{"apiVersion":"apps/v1","kind":"DemonSet"}`,
	} {
		if _, err := strictly([]byte(wrong)); err == nil {
			t.Errorf("%s was taken", wrong)
		}
	}
}

// TestServerTakesTheManifests has the API server validate what it would
// store, and store nothing. Each kustomization comes after what it stands on.
func TestServerTakesTheManifests(t *testing.T) {
	e := start(t)
	e.monitoringTypes(t)
	for _, dir := range kustomizations(t) {
		for _, object := range render(t, dir) {
			if err := e.dryRun(t.Context(), object); err != nil {
				t.Errorf("%s: %v", dir, err)
			}
		}
	}
	unknown := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default"},"dota":{}}`
	if err := e.dryRun(t.Context(), []byte(unknown)); err == nil || !strings.Contains(err.Error(), "dota") {
		t.Errorf("the server takes any field: %v", err)
	}
}

// dryRun applies an object and stores nothing.
func (e *environment) dryRun(ctx context.Context, object []byte) error {
	var o unstructured.Unstructured
	if err := o.UnmarshalJSON(object); err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(e.config)
	if err != nil {
		return err
	}
	groups, err := restmapper.GetAPIGroupResources(discovery.NewDiscoveryClientForConfigOrDie(e.config))
	if err != nil {
		return err
	}
	gvk := o.GroupVersionKind()
	mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	resource := client.Resource(mapping.Resource)
	namespaced := dynamic.ResourceInterface(resource)
	if mapping.Scope.Name() == "namespace" {
		namespaced = resource.Namespace(o.GetNamespace())
	}
	_, err = namespaced.Create(ctx, &o, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	if err != nil && strings.Contains(err.Error(), "already exists") {
		return nil // it got as far as storing it
	}
	return err
}

// monitoringTypes makes the server know the Prometheus operator's types by
// name. What is in them is checked by their Go types.
func (e *environment) monitoringTypes(t *testing.T) {
	t.Helper()
	client := must[*dynamic.DynamicClient](t)(dynamic.NewForConfig(e.config))
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for plural, kind := range map[string]string{"podmonitors": "PodMonitor", "prometheusrules": "PrometheusRule"} {
		_, err := definitions.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{
				"name":        plural + ".monitoring.coreos.com",
				"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, for a test"},
			},
			"spec": map[string]any{
				"group": "monitoring.coreos.com", "scope": "Namespaced",
				"names": map[string]any{"plural": plural, "kind": kind},
				"versions": []any{map[string]any{
					"name": "v1", "served": true, "storage": true,
					"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
				}},
			},
		}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the monitoring types", func() bool {
		list, err := discovery.NewDiscoveryClientForConfigOrDie(e.config).ServerResourcesForGroupVersion("monitoring.coreos.com/v1")
		return err == nil && len(list.APIResources) == 2
	})
}

// TestKindConfiguration: kind reads it, not the API server.
func TestKindConfiguration(t *testing.T) {
	var cluster kindv1alpha4.Cluster
	if err := yaml.UnmarshalStrict(must[[]byte](t)(os.ReadFile("../../reproducer/kind/cluster.yaml")), &cluster); err != nil {
		t.Fatal(err)
	}
	var workers int
	for _, node := range cluster.Nodes {
		if node.Role == kindv1alpha4.WorkerRole {
			workers++
		}
	}
	if cluster.APIVersion != "kind.x-k8s.io/v1alpha4" || !cluster.Networking.DisableDefaultCNI || workers != 2 {
		t.Errorf("%+v", cluster)
	}
}
