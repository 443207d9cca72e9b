package exporter_test

import (
	"errors"
	"iter"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/internal/golden"
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

type kernel struct {
	counters flow.KernelCounters
	err      error
}

func (k kernel) Counters() (flow.KernelCounters, error) { return k.counters, k.err }

// busyKernel is a kernel that keeps run statistics for one of its programs.
func busyKernel() kernel {
	runs, misses, took := uint64(12), uint64(1), 3*time.Millisecond
	return kernel{counters: flow.KernelCounters{
		Retransmissions: map[flow.RetransmissionKind]uint64{flow.KindTimeout: 7, flow.KindTailLossProbe: 2},
		Lost:            map[flow.LossStage]uint64{flow.StageRing: 3},
		Losses:          map[flow.LossReason]flow.Losses{flow.LostClosedUnread: {Closes: 2, Unsent: 46336, Unacknowledged: 64088}},
		Programs: []flow.Program{
			{Name: "tcp_retransmit_skb", Attached: true, Runs: &runs, RunTime: &took, RecursionMisses: &misses},
			{Name: "tcp_receive_reset"},
		},
	}}
}

func options(r flow.Reader, k exporter.Kernel) exporter.Options {
	return exporter.Options{
		Reader: r, Kernel: k, MaxSeries: 500, Version: "v0.1.0", Now: flowtest.Now, Log: slog.New(slog.DiscardHandler),
		Dropped:  func() map[string]uint64 { return map[string]uint64{"file": 4} },
		Features: map[string]bool{"scope": true, "receive_reset": false},
	}
}

// scrape returns what a scrape answers, without the metrics of the Go
// runtime and of the process.
func scrape(t *testing.T, e *exporter.Exporter) string {
	t.Helper()
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scrape: %d %s", w.Code, w.Body)
	}
	var own strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), "tcpstuck_") {
			own.WriteString(line)
		}
	}
	return strings.ReplaceAll(own.String(), runtime.Version(), "GOVERSION")
}

func TestMetricsAtStart(t *testing.T) {
	var down []flow.Health // at the start no source has been in step yet
	for _, source := range flow.Sources() {
		down = append(down, flow.Health{Source: source})
	}
	e := exporter.New(options(&flowtest.Reader{Sources: down}, kernel{}))
	golden.Check(t, "testdata/start.golden", []byte(scrape(t, e)))
}

func TestMetricsOfABusyNode(t *testing.T) {
	e := exporter.New(options(flowtest.NewReader(), busyKernel()))
	calico, ended := flowtest.Calico(), flowtest.Ended()
	e.Publish(flow.Event{Type: flow.EventStuck, Flow: &calico})
	e.Publish(flow.Event{Type: flow.EventEnded, Flow: &ended})
	e.Lookup(flow.SourceConntrack, 28*time.Microsecond, nil)
	e.Scan("snapshot", 9*time.Millisecond)
	e.Resync()
	golden.Check(t, "testdata/busy.golden", []byte(scrape(t, e)))
}

func TestMetricsAreLintFree(t *testing.T) {
	e := exporter.New(options(flowtest.NewReader(), busyKernel()))
	problems, err := promlint.New(strings.NewReader(scrape(t, e))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestUnreadableKernelCountersAreAbsent(t *testing.T) {
	got := scrape(t, exporter.New(options(&flowtest.Reader{}, kernel{err: errors.New("no")})))
	if strings.Contains(got, "tcpstuck_retransmissions_total") {
		t.Error("counters that could not be read are shown")
	}
	if !strings.Contains(got, "tcpstuck_suspects 0") {
		t.Error("the rest of the scrape is missing")
	}
}

func TestPublish(t *testing.T) {
	timedOut := flowtest.Ended()
	truncated := flowtest.Ended()
	truncated.Symptom, truncated.Cause, truncated.Outcome = flow.Truncated, flow.ClosedUnread, flow.Closed
	recovered := flowtest.Calico()
	recovered.Outcome, recovered.EndedAt = flow.Recovered, recovered.Since.Add(time.Minute)
	unseen := flowtest.Ended()
	unseen.Outcome = ""

	for _, c := range []struct {
		name   string
		event  flow.Event
		want   []string // lines that the scrape has
		absent []string
	}{
		{"stuck", flow.Event{Type: flow.EventStuck, Flow: &recovered}, []string{
			`tcpstuck_flows_found_total{cause="StaleConntrack",symptom="Retransmitting"} 1`,
		}, nil},
		{"revised is not found again", flow.Event{Type: flow.EventRevised, Flow: &recovered}, nil, []string{
			`tcpstuck_flows_found_total{cause="StaleConntrack",symptom="Retransmitting"} 1`,
		}},
		{"timed out", flow.Event{Type: flow.EventEnded, Flow: &timedOut}, []string{
			`tcpstuck_flows_ended_total{outcome="TimedOut"} 1`,
			`tcpstuck_flow_stuck_seconds_sum{outcome="TimedOut"} 960`,
			// The kernel side counts what was lost, and only once.
			`tcpstuck_lost_bytes_total{certainty="unsent",reason="timed_out"} 0`,
			`tcpstuck_lossy_closes_total{reason="timed_out"} 0`,
		}, nil},
		{"data lost is found and ended at once", flow.Event{Type: flow.EventDataLost, Flow: &truncated}, []string{
			`tcpstuck_flows_found_total{cause="ClosedUnread",symptom="Truncated"} 1`,
			`tcpstuck_flows_ended_total{outcome="Closed"} 1`,
			`tcpstuck_flow_stuck_seconds_count{outcome="Closed"} 0`,
		}, nil},
		{"recovered", flow.Event{Type: flow.EventRecovered, Flow: &recovered}, []string{
			`tcpstuck_flows_ended_total{outcome="Recovered"} 1`,
			`tcpstuck_flow_stuck_seconds_bucket{outcome="Recovered",le="30"} 0`,
			`tcpstuck_flow_stuck_seconds_bucket{outcome="Recovered",le="60"} 1`,
		}, nil},
		{"an end that was not seen", flow.Event{Type: flow.EventEnded, Flow: &unseen}, []string{
			`tcpstuck_flows_ended_total{outcome="Unknown"} 1`,
		}, nil},
		{"degraded has no flow", flow.Event{Type: flow.EventDegraded, Source: "cluster"}, []string{
			`tcpstuck_flows_ended_total{outcome="Unknown"} 0`,
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := exporter.New(options(&flowtest.Reader{}, kernel{}))
			e.Publish(c.event)
			got := scrape(t, e)
			for _, want := range c.want {
				if !strings.Contains(got, want+"\n") {
					t.Errorf("no %s", want)
				}
			}
			for _, absent := range c.absent {
				if strings.Contains(got, absent+"\n") {
					t.Errorf("there is %s", absent)
				}
			}
		})
	}
}

// countFamily returns how many series a metric has.
func countFamily(scraped, name string) int {
	return len(regexp.MustCompile(`(?m)^`+name+`(\{| )`).FindAllString(scraped, -1))
}

// slowReader holds every scrape up until it is let on.
type slowReader struct {
	*flowtest.Reader
	entered, open chan struct{}
}

func (r slowReader) Facts() iter.Seq[flow.Finding] {
	r.entered <- struct{}{}
	<-r.open
	return r.Reader.Facts()
}

func TestScrapesTakeTurns(t *testing.T) {
	r := slowReader{flowtest.NewReader(), make(chan struct{}, 100), make(chan struct{})}
	handler := exporter.New(options(r, busyKernel())).Handler()
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			if w.Code != 200 || !strings.Contains(w.Body.String(), "tcpstuck_flows{") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	<-r.entered
	select {
	case <-r.entered:
		t.Error("two scrapes at once")
	case <-time.After(200 * time.Millisecond):
	}
	close(r.open)
	group.Wait()
}
