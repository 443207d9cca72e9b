package inspector

import (
	"context"
	"time"
)

// meetEvery is how often the cluster source is told whom this node talks to.
const meetEvery = time.Minute

// meetPeers tells the cluster source whom this node's connections lead to, so
// that the records of these pods are read while they live. It is one more pass
// over all sockets, within their budget.
func (i *Inspector) meetPeers(context.Context) {
	now := time.Now()
	if i.o.Peers == nil || !i.metAt.IsZero() && now.Sub(i.metAt) < meetEvery-tick/2 || !i.sweeps.allows(now) {
		return
	}
	i.metAt = now
	worked := cpuTimeOf(func() {
		peers, err := i.o.Peers.Peers()
		if err != nil {
			i.o.Log.Debug("whom this node talks to could not be read", "error", err)
			return
		}
		i.o.Cluster.NotePeers(peers)
	})
	i.sweeps.spend(worked, time.Now())
}
