package exporter

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Kernel gives the kernel side's counters.
type Kernel interface {
	Counters() (flow.KernelCounters, error)
}

// Options is what an Exporter reads from. Reader, Kernel and Log are required.
type Options struct {
	Reader    flow.Reader
	Kernel    Kernel
	Dropped   func() map[string]uint64 // events that were dropped, by sink
	MaxSeries int                      // edges, and owners of lost bytes, that keep their name; 0: no limit
	Features  map[string]bool          // what this kernel and this agent can do
	Version   string
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger
}

// Exporter holds tcpstuck's metrics in a registry of its own. It is safe for
// concurrent use.
type Exporter struct {
	registry *prometheus.Registry
	log      *slog.Logger

	flows  flowMetrics
	losses *ownerLosses
	agent  agentMetrics
}

// New returns an Exporter in which every known label value is present.
func New(opts Options) *Exporter {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	e := &Exporter{
		registry: prometheus.NewRegistry(),
		log:      opts.Log,
		flows:    newFlowMetrics(),
		losses:   newOwnerLosses(opts.MaxSeries),
		agent:    newAgentMetrics(),
	}
	e.registry.MustRegister(e.flows.collectors()...)
	e.registry.MustRegister(e.agent.collectors()...)
	e.registry.MustRegister(
		e.losses.bytes,
		newEdgeCollector(opts),
		newStateCollector(opts),
		newKernelCollector(opts),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return e
}

// Handler serves the metrics to scrapes: see answers.
func (e *Exporter) Handler() http.Handler {
	return newAnswers(promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(e.log.Handler(), slog.LevelError),
	}))
}
