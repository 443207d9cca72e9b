package exporter

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// The values of the error label of tcpstuck_lookup_errors_total.
const (
	errorTimeout    = "timeout"
	errorPermission = "permission"
	errorNoBuffer   = "no_buffer"
	errorOther      = "other"
)

// The values of the kind label of tcpstuck_sweep_seconds.
const (
	passSockets   = "sockets"   // one scan of the files of every process
	passSnapshot  = "snapshot"  // one read of every suspect in the kernel
	passConntrack = "conntrack" // one search of the conntrack table
)

// agentMetrics measures the agent's own work.
type agentMetrics struct {
	lookups      *prometheus.HistogramVec
	lookupErrors *prometheus.CounterVec
	passes       *prometheus.HistogramVec
	resyncs      prometheus.Counter
}

func newAgentMetrics() agentMetrics {
	m := agentMetrics{
		lookups: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tcpstuck_lookup_seconds",
			Help:    "How long a source took to answer about one flow.",
			Buckets: []float64{10e-6, 50e-6, 100e-6, 500e-6, 1e-3, 5e-3, 10e-3, 50e-3, 100e-3, 500e-3, 1, 2},
		}, []string{"source"}),
		lookupErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tcpstuck_lookup_errors_total",
			Help: "Lookups that failed, by source and kind of error.",
		}, []string{"source", "error"}),
		passes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "tcpstuck_sweep_seconds",
			Help:    "How long a pass over the node took. sockets: a scan of the files of every process; snapshot: one read of every suspect in the kernel; conntrack: one search of the conntrack table.",
			Buckets: []float64{1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5},
		}, []string{"kind"}),
		resyncs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tcpstuck_resyncs_total",
			Help: "Times that the agent read every suspect again, because records were lost.",
		}),
	}
	for _, source := range flow.Sources() {
		m.lookups.WithLabelValues(string(source))
		for _, kind := range []string{errorTimeout, errorPermission, errorNoBuffer, errorOther} {
			m.lookupErrors.WithLabelValues(string(source), kind)
		}
	}
	for _, kind := range []string{passSockets, passSnapshot, passConntrack} {
		m.passes.WithLabelValues(kind)
	}
	return m
}

func (m agentMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.lookups, m.lookupErrors, m.passes, m.resyncs}
}

// Lookup measures one question to a source. err is nil when the source
// answered, "there is none" included.
func (e *Exporter) Lookup(source flow.Source, took time.Duration, err error) {
	e.agent.lookups.WithLabelValues(string(source)).Observe(took.Seconds())
	if err != nil {
		e.agent.lookupErrors.WithLabelValues(string(source), errorKind(err)).Inc()
	}
}

// Scan records the time of one pass; kind is sockets, snapshot or conntrack.
func (e *Exporter) Scan(kind string, took time.Duration) {
	e.agent.passes.WithLabelValues(kind).Observe(took.Seconds())
}

// Resync counts one resynchronisation with the kernel.
func (e *Exporter) Resync() { e.agent.resyncs.Inc() }

// errorKind sorts an error into the fixed values of the error label: the
// text of an error may hold an address.
func errorKind(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return errorTimeout
	case errors.Is(err, fs.ErrPermission):
		return errorPermission
	case errors.Is(err, syscall.ENOBUFS):
		return errorNoBuffer
	}
	return errorOther
}
