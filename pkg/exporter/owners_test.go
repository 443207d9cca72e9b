package exporter_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// lost returns the series of tcpstuck_flows_lost_bytes_total, without its name.
func lost(scraped string) []string {
	var all []string
	for _, line := range regexp.MustCompile(`(?m)^tcpstuck_flows_lost_bytes_total\{.*$`).FindAllString(scraped, -1) {
		all = append(all, strings.TrimPrefix(line, "tcpstuck_flows_lost_bytes_total"))
	}
	return all
}

func TestLossesByOwner(t *testing.T) {
	over := func(symptom flow.Symptom, outcome flow.Outcome, unsent, unacknowledged uint32) flow.Finding {
		f := flowtest.Calico()
		f.Symptom, f.Outcome, f.Unsent, f.Unacknowledged = symptom, outcome, unsent, unacknowledged
		return f
	}
	series := func(certainty string, n int) string {
		return fmt.Sprintf(`{certainty="%s",local_namespace="default",local_workload="client",local_workload_kind="Deployment"} %d`, certainty, n)
	}
	for name, c := range map[string]struct {
		event flow.EventType
		flow  flow.Finding
		want  []string
	}{
		"the kernel gave up":         {flow.EventEnded, over(flow.Retransmitting, flow.TimedOut, 7, 6), []string{series("unacknowledged", 6), series("unsent", 7)}},
		"nothing unsent":             {flow.EventEnded, over(flow.Retransmitting, flow.Reset, 0, 6), []string{series("unacknowledged", 6)}},
		"its owner closed it":        {flow.EventEnded, over(flow.Retransmitting, flow.Closed, 7, 6), nil},
		"it recovered":               {flow.EventRecovered, over(flow.Retransmitting, flow.Recovered, 7, 6), nil},
		"its end was not seen":       {flow.EventEnded, over(flow.Retransmitting, "", 7, 6), nil},
		"truncated":                  {flow.EventDataLost, over(flow.Truncated, flow.Closed, 7, 0), []string{series("unsent", 7)}},
		"stuck, and nothing is lost": {flow.EventStuck, over(flow.Retransmitting, "", 7, 6), nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := exporter.New(options(&flowtest.Reader{}, kernel{}))
			e.Publish(flow.Event{Type: c.event, Flow: &c.flow})
			if diff := cmp.Diff(c.want, lost(scrape(t, e))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestLossesOfManyOwners(t *testing.T) {
	opts := options(&flowtest.Reader{}, kernel{})
	opts.MaxSeries = 2
	e := exporter.New(opts)
	for _, owner := range []string{"a", "b", "c", "d", "a"} {
		f := flowtest.Calico()
		f.Local.Workload, f.Symptom, f.Unsent, f.Unacknowledged = owner, flow.Truncated, 1, 0
		e.Publish(flow.Event{Type: flow.EventDataLost, Flow: &f})
	}
	want := []string{
		`{certainty="unsent",local_namespace="",local_workload="_overflow",local_workload_kind=""} 2`,
		`{certainty="unsent",local_namespace="default",local_workload="a",local_workload_kind="Deployment"} 2`,
		`{certainty="unsent",local_namespace="default",local_workload="b",local_workload_kind="Deployment"} 1`,
	}
	if diff := cmp.Diff(want, lost(scrape(t, e))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A namespace with many workloads leaves names to the others, and so do several.
func TestLossesOfManyOwnersOfANamespace(t *testing.T) {
	opts := options(&flowtest.Reader{}, kernel{})
	opts.MaxSeries = 500
	e := exporter.New(opts)
	lose := func(namespace, workload string) {
		f := flowtest.Calico()
		f.Local.Namespace, f.Local.Workload, f.Symptom, f.Unsent, f.Unacknowledged = namespace, workload, flow.Truncated, 1, 0
		e.Publish(flow.Event{Type: flow.EventDataLost, Flow: &f})
	}
	for _, namespace := range []string{"greedy", "as-greedy", "greedy-too"} {
		for n := range 1000 {
			lose(namespace, fmt.Sprint("job-", n))
		}
	}
	for _, workload := range []string{"web", "mail"} {
		lose("shop", workload)
	}
	got := scrape(t, e)
	for _, workload := range []string{"web", "mail"} {
		if !strings.Contains(got, `local_namespace="shop",local_workload="`+workload+`"`) {
			t.Errorf("%s lost bytes, and nobody can learn of it", workload)
		}
	}
	if n := len(lost(got)); n > 500+1 {
		t.Errorf("%d series, want 500 and the overflow", n)
	}
}
