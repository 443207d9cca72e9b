package kube

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

const (
	protobuf = "application/vnd.kubernetes.protobuf"
	// patience is how long a GET may take, and how long the answer of a list
	// may take to begin.
	patience = 30 * time.Second
)

// client talks to the API groups that the agent uses. It uses rest.Interface
// with a scheme of these groups alone, because the generated clients bring the
// types of every group along.
type client struct {
	core, discovery, batch, events rest.Interface
	params                         runtime.ParameterCodec
	activity                       *activity // of the server
	close                          func()
}

// newClient sends nothing yet. The connection is probed when the server sends
// nothing for silence, and the answer may take half of that. So a server that
// vanishes is noticed after one and a half times silence.
func newClient(access Access, silence time.Duration) (*client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme, batchv1.AddToScheme, eventsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register API types: %w", err)
		}
	}
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	config := rest.CopyConfig(access.config)
	config.ContentType, config.AcceptContentTypes = protobuf, protobuf+",application/json"
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.QPS = -1 // each caller limits its own requests
	config.WarningHandlerWithContext = rest.NoWarnings{}
	if config.UserAgent == "" {
		config.UserAgent = "tcpstuck-agent"
	}
	last := new(activity)
	transport, err := newTransport(config, silence, last)
	if err != nil {
		return nil, err
	}
	wrapped, err := rest.HTTPWrappersForConfig(config, transport)
	if err != nil {
		return nil, fmt.Errorf("use credentials: %w", err)
	}
	c := &client{params: runtime.NewParameterCodec(scheme), activity: last, close: transport.CloseIdleConnections}
	for _, group := range []struct {
		to   *rest.Interface
		path string
		gv   schema.GroupVersion
	}{
		{&c.core, "/api", schema.GroupVersion{Version: "v1"}},
		{&c.discovery, "/apis", schema.GroupVersion{Group: "discovery.k8s.io", Version: "v1"}},
		{&c.batch, "/apis", schema.GroupVersion{Group: "batch", Version: "v1"}},
		{&c.events, "/apis", schema.GroupVersion{Group: "events.k8s.io", Version: "v1"}},
	} {
		config.APIPath, config.GroupVersion = group.path, &group.gv
		rc, err := rest.RESTClientForConfigAndClient(config, &http.Client{Transport: wrapped})
		if err != nil {
			return nil, fmt.Errorf("use %s: %w", config.Host, err)
		}
		*group.to = rc
	}
	return c, nil
}

// newTransport makes the one connection that all requests share. It probes the
// connection while the server sends nothing: a watch may be silent for long.
func newTransport(config *rest.Config, silence time.Duration, last *activity) (*http.Transport, error) {
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, fmt.Errorf("use certificates: %w", err)
	}
	dial := config.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: patience / 3, KeepAlive: silence}).DialContext
	}
	proxy := config.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	t := &http.Transport{
		Proxy: proxy, DialContext: last.watch(dial), TLSClientConfig: tls, TLSHandshakeTimeout: patience / 3,
		ResponseHeaderTimeout: patience, IdleConnTimeout: 90 * time.Second,
		HTTP2: &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: silence / 2},
	}
	if tls != nil {
		// HTTP/2 alone, so that one connection is enough. Without the limit
		// every watch would dial, and all connections but one would be dropped.
		t.Protocols, t.MaxConnsPerHost = new(http.Protocols), 1
		t.Protocols.SetHTTP2(true)
	}
	return t, nil
}

// get reads one object.
func get[O any, P interface {
	*O
	runtime.Object
}](ctx context.Context, c rest.Interface, resource, namespace, name string) (*O, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	object := P(new(O))
	err := c.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name).Do(ctx).Into(object)
	if err != nil {
		return nil, fmt.Errorf("get %s %s: %w", resource, name, err)
	}
	return object, nil
}
