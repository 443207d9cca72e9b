package kube

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/klog/v2"

	"golang.org/x/sync/errgroup"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// APIOptions of an API.
type APIOptions struct {
	Access Access
	Node   string // the pods of this node are watched
	State  *cluster.State
	Log    *slog.Logger

	// Silence is how long the server may send nothing before it is probed. A
	// server that vanishes is noticed after one and a half times that. 10 s by
	// default.
	Silence time.Duration
	// Gap is how long a resource may be without a watch before the source
	// counts as down: servers end watches regularly, and restart. 10 s by
	// default.
	Gap time.Duration
}

// API is a Kubernetes API as the source of the cluster's state. It watches
// Services, EndpointSlices and the pods of one node. It reads other pods and
// Nodes by name, when the state asks for them (cluster.Question).
type API struct {
	state    *cluster.State
	node     string
	client   *client
	link     *link
	jobs     *jobs
	lookups  *lookups
	services *resource[corev1.Service, corev1.ServiceList, cluster.Service]
	slices   *resource[discoveryv1.EndpointSlice, discoveryv1.EndpointSliceList, cluster.Slice]
	pods     *resource[corev1.Pod, corev1.PodList, cluster.Pod]
}

// OpenAPI prepares the source. It sends nothing: Run waits for an API that
// cannot be reached.
func OpenAPI(o APIOptions) (*API, error) {
	if o.Silence == 0 {
		o.Silence = 10 * time.Second
	}
	if o.Gap == 0 {
		o.Gap = 10 * time.Second
	}
	c, err := newClient(o.Access, o.Silence)
	if err != nil {
		return nil, err
	}
	o.State.LimitPods(o.Node)
	l := newLink(o.State, o.Access.Server(), c.activity, o.Gap, o.Log, "services", "endpointslices", "pods")
	return &API{
		state: o.State, node: o.Node, client: c, link: l,
		jobs: newJobs(c, o.State, o.Log), lookups: newLookups(c, o.Node, l.up, o.State, o.Log),
		services: &resource[corev1.Service, corev1.ServiceList, cluster.Service]{
			name: "services", client: c.core, params: c.params, convert: Service, link: l,
			meta:  func(s *corev1.Service) *metav1.ObjectMeta { return &s.ObjectMeta },
			items: func(all *corev1.ServiceList) ([]corev1.Service, *metav1.ListMeta) { return all.Items, &all.ListMeta },
		},
		slices: &resource[discoveryv1.EndpointSlice, discoveryv1.EndpointSliceList, cluster.Slice]{
			name: "endpointslices", client: c.discovery, params: c.params, convert: Slice, link: l,
			meta: func(s *discoveryv1.EndpointSlice) *metav1.ObjectMeta { return &s.ObjectMeta },
			items: func(all *discoveryv1.EndpointSliceList) ([]discoveryv1.EndpointSlice, *metav1.ListMeta) {
				return all.Items, &all.ListMeta
			},
		},
		pods: &resource[corev1.Pod, corev1.PodList, cluster.Pod]{
			name: "pods", client: c.core, params: c.params, convert: Pod, link: l,
			selector: fields.OneTermEqualSelector("spec.nodeName", o.Node).String(),
			meta:     func(p *corev1.Pod) *metav1.ObjectMeta { return &p.ObjectMeta },
			items:    func(all *corev1.PodList) ([]corev1.Pod, *metav1.ListMeta) { return all.Items, &all.ListMeta },
		},
	}, nil
}

// Run follows the API until ctx ends. If the API cannot be reached, it waits and
// says so in the state's health.
func (a *API) Run(ctx context.Context) error {
	defer a.client.close()
	ctx = klog.NewContext(ctx, logr.Discard()) // the link reports what fails
	a.state.Lookups().AskNode(a.node)          // NodePorts are at its addresses
	var group errgroup.Group
	for _, run := range []func(context.Context){
		a.link.run, a.jobs.run, a.lookups.run,
		func(ctx context.Context) { a.services.reflect(ctx, serviceStore(a.state)) },
		func(ctx context.Context) { a.slices.reflect(ctx, sliceStore(a.state)) },
		func(ctx context.Context) { a.pods.reflect(ctx, podStore(a.state, a.jobs)) },
	} {
		group.Go(func() error { run(ctx); return nil })
	}
	return group.Wait()
}

// Await waits until everything was listed once, or until ctx ends. Run must be
// running.
func (a *API) Await(ctx context.Context) {
	select {
	case <-a.link.synced:
	case <-ctx.Done():
	}
}
