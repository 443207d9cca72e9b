package kube_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/events"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/kube"
)

// eventsAs writes Events as the agent of node-a, by its ServiceAccount.
func eventsAs(t *testing.T, e *environment) *kube.Events {
	t.Helper()
	access := must[kube.Access](t)(kube.FindAccess(e.kubeconfig(t, "", nil)))
	state := cluster.New(cluster.Options{Node: "node-a"})
	api := must[*kube.API](t)(kube.OpenAPI(kube.APIOptions{Access: access, Node: "node-a", State: state, Log: slog.New(slog.DiscardHandler)}))
	return api.Events()
}

// eventsIn returns the Events of a namespace, as kubectl shows them.
func (e *environment) eventsIn(t *testing.T, namespace string) []corev1.Event {
	t.Helper()
	return must[*corev1.EventList](t)(e.admin.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{})).Items
}

// eventsAbout returns those that kubectl describe shows of a pod.
func (e *environment) eventsAbout(t *testing.T, p *corev1.Pod) []corev1.Event {
	t.Helper()
	about := fmt.Sprintf("involvedObject.kind=Pod,involvedObject.name=%s,involvedObject.uid=%s", p.Name, p.UID)
	return must[*corev1.EventList](t)(e.admin.CoreV1().Events(p.Namespace).List(t.Context(), metav1.ListOptions{FieldSelector: about})).Items
}

func count(ev corev1.Event) int32 {
	if ev.Series == nil {
		return 1
	}
	return ev.Series.Count
}

// stuckFlow is a connection of a pod to default/server whose backend is gone.
func stuckFlow(p *corev1.Pod, since time.Time) flow.Event {
	return flow.Event{Type: flow.EventStuck, Time: time.Now(), Flow: &flow.Finding{
		Node: "node-a", Role: flow.Client, Symptom: flow.Retransmitting, Cause: flow.StaleConntrack, Since: since,
		Local: flow.Local{Namespace: p.Namespace, Pod: p.Name, PodUID: string(p.UID)},
		Peer:  flow.Peer{Class: flow.PeerService, Addr: netip.MustParseAddrPort("10.96.0.10:8000"), Namespace: "default", Service: "server"},
	}}
}

// kubernetesSink is the agent's, behind its queue, until the test ends.
func kubernetesSink(t *testing.T, e *environment) (f *events.Fanout, stop func()) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	f = events.NewFanout(log)
	f.Add("kubernetes", events.NewKubernetes(t.Context(), eventsAs(t, e), log), 1000)
	stop = func() {
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := f.Dropped()["kubernetes"]; n > 0 {
			t.Errorf("%d events were dropped", n)
		}
	}
	return f, stop
}

// TestAnEventIsReportedOnce: a repetition is counted, even by a restarted agent.
func TestAnEventIsReportedOnce(t *testing.T) {
	e := start(t)
	client := e.pod(t, "client-1", "node-a", "192.168.75.2")
	sink, stop := kubernetesSink(t, e)
	began := time.Now()
	sink.Publish(stuckFlow(client, began))
	var reported []corev1.Event
	await(t, "an Event", func() bool { reported = e.eventsAbout(t, client); return len(reported) > 0 })
	ev := reported[0]
	if len(reported) != 1 || ev.Reason != "TCPStuckStaleConntrack" || ev.Type != "Warning" || count(ev) != 1 ||
		ev.ReportingController != "tcpstuck-agent" || ev.ReportingInstance != "node-a" ||
		ev.Related == nil || ev.Related.Kind != "Service" || ev.Related.Namespace != "default" || ev.Related.Name != "server" {
		t.Errorf("%+v", reported)
	}
	t.Logf("%s %s %s", ev.Type, ev.Reason, ev.Message)
	for range 4 {
		sink.Publish(stuckFlow(client, time.Now()))
	}
	await(t, "its count", func() bool { return count(e.eventsAbout(t, client)[0]) == 5 })
	stop()

	sink, stop = kubernetesSink(t, e)
	sink.Publish(stuckFlow(client, began))
	stop()
	if reported := e.eventsAbout(t, client); len(reported) != 1 || count(reported[0]) != 5 {
		t.Errorf("after a restart: %+v", reported)
	}
	sink, stop = kubernetesSink(t, e)
	sink.Publish(stuckFlow(client, time.Now()))
	recovered, lost := stuckFlow(client, began), stuckFlow(client, began)
	recovered.Type, lost.Type = flow.EventRecovered, flow.EventDataLost
	sink.Publish(recovered)
	sink.Publish(lost)
	stop()
	got := map[string]int32{}
	for _, ev := range e.eventsAbout(t, client) {
		got[ev.Type+" "+ev.Reason] += count(ev)
	}
	if len(got) != 3 || got["Warning TCPStuckStaleConntrack"] != 6 || got["Normal TCPStuckRecovered"] != 1 || got["Warning TCPDataLost"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestABurstOfEvents: five of a thousand are reported, and the number of the
// others.
func TestABurstOfEvents(t *testing.T) {
	e := start(t)
	e.node(t, "node-a", "172.18.0.2")
	sink, stop := kubernetesSink(t, e)
	for n := range 1000 {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("client-", n), UID: "u"}}
		sink.Publish(stuckFlow(p, time.Now()))
	}
	var sum *corev1.Event
	await(t, "the sum", func() bool {
		for _, ev := range e.eventsIn(t, namespace) {
			if ev.Reason == "TCPStuckMore" {
				sum = &ev
			}
		}
		return sum != nil
	})
	stop()
	if sum.InvolvedObject.Kind != "Node" || sum.InvolvedObject.Name != "node-a" || count(*sum) != 995 {
		t.Errorf("%+v", sum)
	}
	if all := e.eventsIn(t, namespace); len(all) != 6 {
		t.Errorf("%d Events", len(all))
	}
	writes := 0
	for _, r := range e.requests(t) {
		if r.ObjectRef.Resource == "events" {
			writes++
		}
	}
	if writes != 6 {
		t.Errorf("%d requests about Events", writes)
	}
}
