package exporter

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// stateCollector shows what the agent knows at the moment of the scrape:
// suspects, suppressed flows, its sources, its sinks and itself.
type stateCollector struct {
	opts Options

	suspects, refused, stale *prometheus.Desc
	sourceUp, lastSync       *prometheus.Desc
	dropped, feature, build  *prometheus.Desc
}

func newStateCollector(opts Options) *stateCollector {
	return &stateCollector{
		opts: opts,
		suspects: prometheus.NewDesc("tcpstuck_suspects",
			"Flows without progress that are not reported yet.", nil, nil),
		refused: prometheus.NewDesc("tcpstuck_flows_refused_total",
			"Times that a flow found no room among those that are watched (--max-flows), or had to make room for one of another owner.", nil, nil),
		stale: prometheus.NewDesc("tcpstuck_stale_conntrack_entries",
			"Conntrack entries that lead to a deleted backend and have outlived their flows, as of the last search for them.", nil, nil),
		sourceUp: prometheus.NewDesc("tcpstuck_source_up",
			"1 while a source of evidence can be trusted.", []string{"source"}, nil),
		lastSync: prometheus.NewDesc("tcpstuck_source_last_sync_timestamp_seconds",
			"When a source of evidence was last in step with what it describes. 0: never.", []string{"source"}, nil),
		dropped: prometheus.NewDesc("tcpstuck_events_dropped_total",
			"Events that a sink could not take.", []string{"sink"}, nil),
		feature: prometheus.NewDesc("tcpstuck_feature",
			"1 where this kernel and this agent have the feature and use it.", []string{"feature"}, nil),
		build: prometheus.NewDesc("tcpstuck_build_info",
			"Always 1; the labels say what is running.", []string{"version", "goversion"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.suspects, c.refused, c.stale, c.sourceUp, c.lastSync, c.dropped, c.feature, c.build,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.suspects, float64(c.opts.Reader.Suspects()))
	ch <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(c.opts.Reader.Refused()))
	gauge(c.stale, float64(len(c.opts.Reader.Stale())))

	// A source that is not watched has no series: 0 would page for ever.
	for _, h := range c.opts.Reader.Health() {
		gauge(c.sourceUp, number(h.Up), string(h.Source))
		gauge(c.lastSync, timestamp(h), string(h.Source))
	}
	for feature, on := range c.opts.Features {
		gauge(c.feature, number(on), feature)
	}
	gauge(c.build, 1, c.opts.Version, runtime.Version())

	if c.opts.Dropped == nil {
		return
	}
	for sink, n := range c.opts.Dropped() {
		ch <- prometheus.MustNewConstMetric(c.dropped, prometheus.CounterValue, float64(n), sink)
	}
}

func timestamp(h flow.Health) float64 {
	if h.LastSync.IsZero() {
		return 0
	}
	return float64(h.LastSync.UnixMilli()) / 1000
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
