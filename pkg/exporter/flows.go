package exporter

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// outcomeUnknown counts the findings whose end was not seen.
const outcomeUnknown = "Unknown"

// flowMetrics counts flows by their events.
type flowMetrics struct {
	found *prometheus.CounterVec
	ended *prometheus.CounterVec
	stuck *prometheus.HistogramVec
}

func newFlowMetrics() flowMetrics {
	m := flowMetrics{
		found: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tcpstuck_flows_found_total",
			Help: "Stuck and truncated flows that were found, by the symptom and cause of the first verdict.",
		}, []string{"symptom", "cause"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tcpstuck_flows_ended_total",
			Help: "Stuck and truncated flows that ended, by outcome. Unknown: the end was not seen.",
		}, []string{"outcome"}),
		stuck: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tcpstuck_flow_stuck_seconds",
			Help:    "How long flows made no progress until they ended, by outcome.",
			Buckets: []float64{1, 5, 10, 30, 60, 120, 300, 600, 925},
		}, []string{"outcome"}),
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
}

func (m flowMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.found, m.ended, m.stuck}
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
		e.losses.add(*ev.Flow)
	case flow.EventDataLost: // found at its end; it was never stuck
		e.flows.found.WithLabelValues(string(ev.Flow.Symptom), string(ev.Flow.Cause)).Inc()
		e.flows.ended.WithLabelValues(string(ev.Flow.Outcome)).Inc()
		e.losses.add(*ev.Flow)
	}
}

func (m flowMetrics) end(f flow.Finding) {
	outcome := string(f.Outcome)
	if outcome == "" {
		outcome = outcomeUnknown
	}
	m.ended.WithLabelValues(outcome).Inc()
	m.stuck.WithLabelValues(outcome).Observe(f.Age().Seconds())
}
