package exporter

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// The values of the certainty label of tcpstuck_lost_bytes_total.
const (
	certaintyUnsent         = "unsent"
	certaintyUnacknowledged = "unacknowledged"
)

// kernelCollector shows the kernel side's counters. If they cannot be read, they are
// absent from the scrape, never zero.
type kernelCollector struct {
	opts Options

	retransmissions, lost, attached *prometheus.Desc
	lostBytes, lossyCloses          *prometheus.Desc
	runTime, runs, recursionMisses  *prometheus.Desc
}

func newKernelCollector(opts Options) *kernelCollector {
	program := []string{"program"}
	return &kernelCollector{
		opts: opts,
		retransmissions: prometheus.NewDesc("tcpstuck_retransmissions_total",
			"Retransmissions of every flow of the node, healthy ones included.", []string{"kind"}, nil),
		lost: prometheus.NewDesc("tcpstuck_records_lost_total",
			"Records of the kernel side that were lost, by stage. A resync finds again what they reported. limited: lossy closes that were counted and not reported, because their owner had too many in ten seconds: more than 200, or its share where several owners lose bytes. unseen: ends that the kernel did not show when they came; most are found by what the socket left.", []string{"stage"}, nil),
		lostBytes: prometheus.NewDesc("tcpstuck_lost_bytes_total",
			"Bytes that died with a socket, of every flow of the node. Unsent ones are certainly lost, unacknowledged ones were sent and perhaps delivered.", []string{"reason", "certainty"}, nil),
		lossyCloses: prometheus.NewDesc("tcpstuck_lossy_closes_total",
			"Sockets that died with bytes in them, by reason.", []string{"reason"}, nil),
		attached: prometheus.NewDesc("tcpstuck_attached",
			"1 while a kernel program is attached.", program, nil),
		runTime: prometheus.NewDesc("tcpstuck_bpf_run_seconds_total",
			"Time that a kernel program has run, if the kernel measures it.", program, nil),
		runs: prometheus.NewDesc("tcpstuck_bpf_runs_total",
			"Runs of a kernel program, if the kernel counts them.", program, nil),
		recursionMisses: prometheus.NewDesc("tcpstuck_bpf_recursion_misses_total",
			"Runs of a kernel program that the kernel skipped: what they would have counted is missing.", program, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *kernelCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.retransmissions, c.lost, c.lostBytes, c.lossyCloses, c.attached, c.runTime, c.runs, c.recursionMisses} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *kernelCollector) Collect(ch chan<- prometheus.Metric) {
	counters, err := c.opts.Kernel.Counters()
	if err != nil {
		c.opts.Log.Warn("Cannot read the kernel side's counters", "err", err)
		return
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	for _, kind := range flow.RetransmissionKinds() {
		counter(c.retransmissions, float64(counters.Retransmissions[kind]), string(kind))
	}
	for _, stage := range flow.LossStages() {
		counter(c.lost, float64(counters.Lost[stage]), string(stage))
	}
	for _, reason := range flow.LossReasons() {
		l := counters.Losses[reason]
		counter(c.lossyCloses, float64(l.Closes), string(reason))
		counter(c.lostBytes, float64(l.Unsent), string(reason), certaintyUnsent)
		counter(c.lostBytes, float64(l.Unacknowledged), string(reason), certaintyUnacknowledged)
	}
	for _, p := range counters.Programs {
		ch <- prometheus.MustNewConstMetric(c.attached, prometheus.GaugeValue, number(p.Attached), p.Name)
		if p.RunTime != nil {
			counter(c.runTime, p.RunTime.Seconds(), p.Name)
		}
		if p.Runs != nil {
			counter(c.runs, float64(*p.Runs), p.Name)
		}
		if p.RecursionMisses != nil {
			counter(c.recursionMisses, float64(*p.RecursionMisses), p.Name)
		}
	}
}
