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
	// patience is how long a GET may take; a list, until its answer begins.
	patience = 30 * time.Second
)

// client speaks to the API groups that the agent uses. It is rest.Interface
// over a scheme of these groups alone: the generated clients bring the types
// of every group along.
type client struct {
	core, discovery, batch, events rest.Interface
	params                         runtime.ParameterCodec
	heard                          *heard // when the server was
	close                          func()
}

// newClient asks nothing yet. silence is after how long without a byte the
// connection is probed, and half of it how long the answer may take: a server
// that is gone without a word is noticed in one and a half times that.
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
	config.QPS = -1 // what is asked is limited where it is asked
	config.WarningHandlerWithContext = rest.NoWarnings{}
	if config.UserAgent == "" {
		config.UserAgent = "tcpstuck-agent"
	}
	last := new(heard)
	transport, err := newTransport(config, silence, last)
	if err != nil {
		return nil, err
	}
	wrapped, err := rest.HTTPWrappersForConfig(config, transport)
	if err != nil {
		return nil, fmt.Errorf("use credentials: %w", err)
	}
	c := &client{params: runtime.NewParameterCodec(scheme), heard: last, close: transport.CloseIdleConnections}
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

// newTransport is the one connection that everything shares. It is probed
// while it is silent, since a watch may well be.
func newTransport(config *rest.Config, silence time.Duration, last *heard) (*http.Transport, error) {
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
		Proxy: proxy, DialContext: last.on(dial), TLSClientConfig: tls, TLSHandshakeTimeout: patience / 3,
		ResponseHeaderTimeout: patience, IdleConnTimeout: 90 * time.Second,
		HTTP2: &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: silence / 2},
	}
	if tls != nil {
		// HTTP/2 alone, so that one connection is enough. Without a limit
		// every watch would dial, and all but one connection be thrown away.
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
