package exporter

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// edgeCollector shows the live findings by edge, and how many are suppressed: only
// this collector goes through them. An edge without a finding has no series, so
// series of what is gone go with it.
type edgeCollector struct {
	reader    flow.Reader
	now       func() time.Time
	maxSeries int

	flows, oldest, unacked, giveUp, overflowed *prometheus.Desc
	externalServer, closing, atRisk            *prometheus.Desc

	mu     sync.Mutex
	named  map[edge]tally // the edges that had their names at the last scrape
	folded map[edge]bool  // those that were under overflow
	count  uint64         // how often an edge came under overflow
}

func newEdgeCollector(opts Options) *edgeCollector {
	labels := edgeLabels()
	return &edgeCollector{
		reader: opts.Reader, now: opts.Now, maxSeries: opts.MaxSeries,
		flows: prometheus.NewDesc("tcpstuck_flows",
			"Flows that are stuck now.", labels, nil),
		oldest: prometheus.NewDesc("tcpstuck_flows_oldest_age_seconds",
			"How long the oldest of the edge's stuck flows has made no progress.", labels, nil),
		unacked: prometheus.NewDesc("tcpstuck_unacked_bytes",
			"Bytes that the edge's stuck flows have sent without an acknowledgement.", labels, nil),
		giveUp: prometheus.NewDesc("tcpstuck_flows_soonest_give_up_timestamp_seconds",
			"When the kernel will give up the first of the edge's stuck flows. Absent if it never will, or if that is not known.", labels, nil),
		externalServer: prometheus.NewDesc("tcpstuck_external_server_flows",
			"Accepted flows without progress that have a client outside the cluster. They are suppressed and never reported. The agent counts at most a tenth of --max-flows.", nil, nil),
		atRisk: prometheus.NewDesc("tcpstuck_at_risk_flows",
			"Idle flows that still point at a backend that is gone and have not noticed.", nil, nil),
		closing: prometheus.NewDesc("tcpstuck_closing_flows",
			"Flows without progress that have only a FIN outstanding: suppressed, never reported.", nil, nil),
		overflowed: prometheus.NewDesc("tcpstuck_series_overflowed_total",
			"Times that an edge lost its name to the limit on series and fell under peer_service=\"_overflow\".", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *edgeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.flows, c.oldest, c.unacked, c.giveUp, c.overflowed, c.externalServer, c.closing, c.atRisk} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *edgeCollector) Collect(ch chan<- prometheus.Metric) {
	all := takeCensus(c.reader.Facts(), c.now())
	ch <- prometheus.MustNewConstMetric(c.externalServer, prometheus.GaugeValue, float64(all.suppressed[flow.SuppressedExternalClient]))
	ch <- prometheus.MustNewConstMetric(c.closing, prometheus.GaugeValue, float64(all.suppressed[flow.SuppressedClosing]))
	ch <- prometheus.MustNewConstMetric(c.atRisk, prometheus.GaugeValue, float64(all.halfOpen))
	edges, overflowed := c.limit(all.edges)
	for e, t := range edges {
		values := e.values()
		ch <- prometheus.MustNewConstMetric(c.flows, prometheus.GaugeValue, float64(t.flows), values...)
		ch <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, t.oldest.Seconds(), values...)
		ch <- prometheus.MustNewConstMetric(c.unacked, prometheus.GaugeValue, float64(t.unacked), values...)
		if !t.giveUp.IsZero() {
			ch <- prometheus.MustNewConstMetric(c.giveUp, prometheus.GaugeValue, float64(t.giveUp.UnixMilli())/1000, values...)
		}
	}
	ch <- prometheus.MustNewConstMetric(c.overflowed, prometheus.CounterValue, float64(overflowed))
}

// limit adds up under overflow the edges that find no place, and returns how often
// that has happened to an edge.
func (c *edgeCollector) limit(edges map[edge]tally) (map[edge]tally, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, folded := limit(edges, c.named, c.maxSeries)
	c.named = kept
	c.overflow(folded)
	if len(folded) == 0 {
		return kept, c.count
	}
	shown := maps.Clone(kept)
	rest := edge{peerService: overflow}
	for _, e := range folded {
		shown[rest] = shown[rest].plus(edges[e])
	}
	return shown, c.count
}

// overflow counts the edges that were not folded before, so that the number
// does not depend on how often Prometheus scrapes.
func (c *edgeCollector) overflow(folded []edge) {
	now := make(map[edge]bool, len(folded))
	for _, e := range folded {
		now[e] = true
		if !c.folded[e] {
			c.count++
		}
	}
	c.folded = now
}
