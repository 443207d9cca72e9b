package exporter

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// ownerLosses counts the bytes that findings lost, by the workload that owned the
// socket, so that an alert reaches its team. The series of a workload stay until the
// agent ends. Beyond the limit, losses fall under overflow. A namespace may have at
// most twice as many names as are left then. So it leaves names to the others, however
// many workloads it has.
type ownerLosses struct {
	bytes *prometheus.CounterVec
	most  int // workloads that keep their name; 0: no limit

	mu    sync.Mutex
	named map[workload]bool
	of    map[string]int // how many of a namespace are named
}

type workload struct{ namespace, name, kind string }

func newOwnerLosses(most int) *ownerLosses {
	return &ownerLosses{
		most: most, named: make(map[workload]bool), of: make(map[string]int),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tcpstuck_flows_lost_bytes_total",
			Help: "Bytes that died with flows that were found, by the owner. A series begins with its first loss. Unsent ones are certainly lost, unacknowledged ones were sent and perhaps delivered.",
		}, []string{"local_namespace", "local_workload", "local_workload_kind", "certainty"}),
	}
}

// add counts what a flow lost that has ended. If its owner closed it while it was
// stuck, that is no loss: the owner asked for it.
func (o *ownerLosses) add(f flow.Finding) {
	if f.Outcome != flow.TimedOut && f.Outcome != flow.Reset && f.Symptom != flow.Truncated {
		return
	}
	w := o.name(workload{f.Local.Namespace, f.Local.Workload, f.Local.WorkloadKind})
	for certainty, n := range map[string]uint32{certaintyUnsent: f.Unsent, certaintyUnacknowledged: f.Unacknowledged} {
		if n > 0 {
			o.bytes.WithLabelValues(w.namespace, w.name, w.kind, certainty).Add(float64(n))
		}
	}
}

func (o *ownerLosses) name(w workload) workload {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.named[w] {
		return w
	}
	if o.most > 0 && o.of[w.namespace] >= 2*(o.most-len(o.named)) {
		return workload{name: overflow}
	}
	o.named[w] = true
	o.of[w.namespace]++
	return w
}
