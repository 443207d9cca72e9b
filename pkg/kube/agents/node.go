package agents

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nodeOf returns the node that a pod runs on. Of a pod that the scheduler finds
// no room for, it returns the node that the DaemonSet made it for; empty: none.
func nodeOf(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" {
		return pod.Spec.NodeName
	}
	affinity := pod.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil || affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, m := range term.MatchFields {
			if m.Key == metav1.ObjectNameField && m.Operator == corev1.NodeSelectorOpIn && len(m.Values) == 1 {
				return m.Values[0]
			}
		}
	}
	return ""
}
