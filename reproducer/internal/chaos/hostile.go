package chaos

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// hostile: a tenant who may write slices and Services, and has a pod that comes and goes,
// makes false claims about the addresses of others.
func hostile() Fault {
	const rounds = 20
	return Fault{
		Name:  "hostile-slices",
		Story: "a tenant's slices name the addresses of healthy and of dead backends, for a pod that comes and goes; its Service claims their ClusterIPs",
		play: func(ctx context.Context, l *Lab, o *Outcome) error {
			path, good, list, err := recorded(ctx, l)
			if err != nil {
				return err
			}
			t := tenant{namespace: "tenant"}
			for _, f := range list {
				if f.Backend != nil {
					t.name(f.Backend.Addr.Addr())
				}
			}
			t.name(l.server.Addr)
			before := knownGone(list)
			for n := range rounds {
				said, err := t.say(good, l.echo.ClusterIP, n)
				if err != nil {
					return err
				}
				if err := replaceFile(path, said); err != nil {
					return err
				}
				o.inject(1)
				if err := pause(ctx, 300*time.Millisecond); err != nil { // long enough to be read
					return err
				}
				if n%4 == 3 {
					if err := stillTrue(ctx, l, o, fmt.Sprintf("hostile, round %d", n), before); err != nil {
						return err
					}
				}
			}
			if err := replaceFile(path, good); err != nil {
				return err
			}
			return recordsTrusted(ctx, l, o)
		},
	}
}

func replaceFile(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// tenant writes false records.
type tenant struct {
	namespace string
	addrs     []netip.Addr // of others
}

func (t *tenant) name(addr netip.Addr) {
	for _, known := range t.addrs {
		if known == addr {
			return
		}
	}
	t.addrs = append(t.addrs, addr)
}

// say adds to a list what the tenant says in one round: by turns its pod is
// there and not, and its slices name it, no pod, or an ending endpoint.
func (t *tenant) say(good []byte, clusterIP netip.Addr, round int) ([]byte, error) {
	var list struct {
		metav1.TypeMeta `json:",inline"`
		Items           []any `json:"items"`
	}
	if err := yaml.Unmarshal(good, &list); err != nil {
		return nil, fmt.Errorf("read the cluster's state: %w", err)
	}
	meta := metav1.ObjectMeta{Namespace: t.namespace, Name: "evil", UID: types.UID(fmt.Sprint("evil-", round/2))}
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta}
	pod.Spec.NodeName, pod.Status.PodIP = "node-b", "10.250.0.9"
	service := &corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: meta}
	service.Spec.ClusterIPs, service.Spec.ExternalIPs = []string{"10.96.250.9"}, []string{clusterIP.String()}
	service.Spec.Ports = []corev1.ServicePort{{Port: 8000}, {Port: 80}}
	slice := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"}, ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4,
	}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: "evil"}
	for n, addr := range t.addrs {
		e := discoveryv1.Endpoint{Addresses: []string{addr.String()}, NodeName: new("node-b")}
		if (n+round)%3 > 0 {
			e.TargetRef = &corev1.ObjectReference{Kind: "Pod", Name: pod.Name, UID: pod.UID}
		}
		e.Conditions.Terminating = new((n+round)%4 == 0)
		slice.Endpoints = append(slice.Endpoints, e)
	}
	if round%2 == 0 {
		list.Items = append(list.Items, pod)
	}
	list.Items = append(list.Items, service, slice)
	content, err := yaml.Marshal(list)
	return append(content, "...\n"...), err
}
