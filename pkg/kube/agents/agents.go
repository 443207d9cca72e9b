// Package agents finds the agents of a cluster and runs commands in their pods.
// The user needs the right to list pods and to exec into them.
package agents

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// selector is the label of the agents' pods, container the name of their
// container.
const (
	selector  = "app.kubernetes.io/name=tcpstuck"
	container = "agent"
)

// Options say which cluster, and where in it the agents are.
type Options struct {
	Kubeconfig string // empty: the usual places, and the pod's own ServiceAccount
	Context    string // empty: the kubeconfig's current one
	Namespace  string
}

// Cluster is a cluster with agents. It may be used from any goroutine.
type Cluster struct {
	config    *rest.Config
	client    rest.Interface
	namespace string
}

// Agent is the agent of one node.
type Agent struct {
	Node, Pod, Container string
	// Problem says why nothing can be run in the pod; empty: it runs.
	Problem string
}

// Open reads the kubeconfig. It sends nothing.
func Open(o Options) (*Cluster, error) {
	klog.SetLogger(logr.Discard()) // the caller reports what fails
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %s", oneLine(err))
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register API types: %w", err)
	}
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	config.APIPath, config.GroupVersion = "/api", &schema.GroupVersion{Version: "v1"}
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.UserAgent = "kubectl-tcpstuck"
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("use %s: %s", config.Host, oneLine(err))
	}
	return &Cluster{config: config, client: client, namespace: o.Namespace}, nil
}

// Agents returns the agents, one for each node, ordered by node. A node without
// a pod of an agent, not even a pending one, is left out. It is an error if
// there are none.
func (c *Cluster) Agents(ctx context.Context) ([]Agent, error) {
	pods := new(corev1.PodList)
	err := c.client.Get().Namespace(c.namespace).Resource("pods").Param("labelSelector", selector).Do(ctx).Into(pods)
	if err != nil {
		return nil, fmt.Errorf("list the agents' pods: %s", oneLine(err))
	}
	byNode := make(map[string]Agent)
	for _, pod := range pods.Items {
		a := agent(&pod)
		if was, ok := byNode[a.Node]; a.Node != "" && (!ok || was.Problem != "") {
			byNode[a.Node] = a
		}
	}
	if len(byNode) == 0 {
		return nil, fmt.Errorf("namespace %s of %s has no agents (pods with the label %s): are they deployed, or in another namespace (-n)?",
			c.namespace, c.config.Host, selector)
	}
	return slices.SortedFunc(maps.Values(byNode), func(a, b Agent) int { return cmp.Compare(a.Node, b.Node) }), nil
}

func agent(pod *corev1.Pod) Agent {
	a := Agent{Node: nodeOf(pod), Pod: pod.Name, Container: container}
	named := func(c corev1.Container) bool { return c.Name == container }
	if all := pod.Spec.Containers; len(all) > 0 && !slices.ContainsFunc(all, named) {
		a.Container = all[0].Name
	}
	switch {
	case pod.DeletionTimestamp != nil:
		a.Problem = fmt.Sprintf("its agent, pod %s, is terminating", pod.Name)
	case pod.Status.Phase != corev1.PodRunning:
		a.Problem = fmt.Sprintf("its agent, pod %s, is %s", pod.Name, cmp.Or(pod.Status.Phase, "Pending"))
	}
	return a
}

// oneLine returns an error's text without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
