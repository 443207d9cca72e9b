package exporter

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// outcomeUnknown counts the findings whose end was not seen.
const outcomeUnknown = "Unknown"

// The reasons and the certainties of lost bytes.
const (
	reasonTimedOut       = "timed_out"
	reasonResetByPeer    = "reset_by_peer"
	reasonClosedUnread   = "closed_unread"
	reasonDataAfterClose = "data_after_close"

	certaintyUnsent         = "unsent"
	certaintyUnacknowledged = "unacknowledged"
)

// flowMetrics counts what events tell about flows.
type flowMetrics struct {
	found       *prometheus.CounterVec
	ended       *prometheus.CounterVec
	stuck       *prometheus.HistogramVec
	lostBytes   *prometheus.CounterVec
	lossyCloses *prometheus.CounterVec
}

func newFlowMetrics() flowMetrics {
	m := flowMetrics{
		found: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tcpstuck_flows_found_total",
			Help: "Stuck flows that were found, by the symptom and cause of the first verdict.",
		}, []string{"symptom", "cause"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tcpstuck_flows_ended_total",
			Help: "Stuck flows that ended, by outcome. Unknown: the end was not seen.",
		}, []string{"outcome"}),
		stuck: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tcpstuck_flow_stuck_seconds",
			Help:    "How long flows made no progress until they ended, by outcome.",
			Buckets: []float64{1, 5, 10, 30, 60, 120, 300, 600, 925},
		}, []string{"outcome"}),
		lostBytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tcpstuck_lost_bytes_total",
			Help: "Bytes that died with a flow. Unsent ones are certainly lost, unacknowledged ones were sent and perhaps delivered.",
		}, []string{"reason", "certainty"}),
		lossyCloses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tcpstuck_lossy_closes_total",
			Help: "Flows that died with bytes in them, by reason.",
		}, []string{"reason"}),
	}
	m.start()
	return m
}

// start makes every known label value present, so that rates and alerts see
// the first increase.
func (m flowMetrics) start() {
	for _, symptom := range flow.Symptoms() {
		for _, cause := range flow.Causes() {
			m.found.WithLabelValues(string(symptom), string(cause))
		}
	}
	for _, outcome := range append(flow.Outcomes(), outcomeUnknown) {
		m.ended.WithLabelValues(string(outcome))
		m.stuck.WithLabelValues(string(outcome))
	}
	for _, reason := range []string{reasonTimedOut, reasonResetByPeer, reasonClosedUnread, reasonDataAfterClose} {
		m.lossyCloses.WithLabelValues(reason)
		m.lostBytes.WithLabelValues(reason, certaintyUnsent)
		m.lostBytes.WithLabelValues(reason, certaintyUnacknowledged)
	}
}

func (m flowMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.found, m.ended, m.stuck, m.lostBytes, m.lossyCloses}
}

// Publish counts an event. It never blocks.
func (e *Exporter) Publish(ev flow.Event) {
	if ev.Flow == nil {
		return
	}
	switch ev.Type {
	case flow.EventStuck:
		e.flows.found.WithLabelValues(string(ev.Flow.Symptom), string(ev.Flow.Cause)).Inc()
	case flow.EventRecovered, flow.EventEnded:
		e.flows.end(*ev.Flow)
	}
}

func (m flowMetrics) end(f flow.Finding) {
	outcome := string(f.Outcome)
	if outcome == "" {
		outcome = outcomeUnknown
	}
	m.ended.WithLabelValues(outcome).Inc()
	m.stuck.WithLabelValues(outcome).Observe(f.Age().Seconds())

	reason, lossy := lossReason(f.Outcome)
	if !lossy || f.Unsent == 0 && f.Unacknowledged == 0 {
		return
	}
	m.lossyCloses.WithLabelValues(reason).Inc()
	m.lostBytes.WithLabelValues(reason, certaintyUnsent).Add(float64(f.Unsent))
	m.lostBytes.WithLabelValues(reason, certaintyUnacknowledged).Add(float64(f.Unacknowledged))
}

func lossReason(o flow.Outcome) (string, bool) {
	switch o {
	case flow.TimedOut:
		return reasonTimedOut, true
	case flow.Reset:
		return reasonResetByPeer, true
	}
	return "", false
}
