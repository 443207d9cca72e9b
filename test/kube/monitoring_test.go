package kube_test

import (
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/tcpstuck/tcpstuck/internal/golden"
)

// TestPrometheusRule makes the operator's object of the rules file; -update
// writes it.
func TestPrometheusRule(t *testing.T) {
	var rules struct {
		Groups any `json:"groups"`
	}
	if err := yaml.UnmarshalStrict(must[[]byte](t)(os.ReadFile("../../deploy/monitoring/rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	object := must[[]byte](t)(yaml.Marshal(map[string]any{
		"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
		"metadata": map[string]any{"name": "tcpstuck", "namespace": "tcpstuck", "labels": map[string]any{"app.kubernetes.io/name": "tcpstuck"}},
		"spec":     rules,
	}))
	golden.Check(t, "../../deploy/monitoring/prometheusrule.yaml", append([]byte("# Made from rules.yaml.\n"), object...))
}
