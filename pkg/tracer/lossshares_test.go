package tracer

import (
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// A process that closes with bytes unread again and again uses up only its own
// share of the records.
func TestOneOwnersLossesLeaveRoomForAnothers(t *testing.T) {
	inum := nettest.Loopback(t)
	const perOwner, closes = 5, 100
	tr := open(t, Options{Scope: []uint32{inum, 1, 2, 3, 4}, LossRecords: perOwner}) // more than four: others may come later
	run(t, tr)
	for _, c := range unread(t, closes) {
		_ = c.Close()
	}
	greedy := limited(t, tr)
	if greedy < closes-2*(perOwner+1) || greedy > closes-perOwner { // the window may have turned
		t.Errorf("%d of %d were held back, want all but %d", greedy, closes, perOwner)
	}
	for range 3 {
		t.Run("neighbour", func(t *testing.T) {
			if err := tr.objects.Maps[tcpstuckMapScope].Put(nettest.Loopback(t), uint8(1)); err != nil {
				t.Fatal(err)
			}
			client := unread(t, 1)[0]
			id := cookie(t, client)
			_ = client.Close()
			if end := endOf(t, tr, id); end.Loss != flow.LostClosedUnread {
				t.Errorf("%+v, want a loss", end)
			}
		})
	}
	if n := limited(t, tr); n != greedy {
		t.Errorf("%d records of the neighbours were held back", n-greedy)
	}
}

func limited(t *testing.T, tr *Tracer) uint64 {
	t.Helper()
	c, err := tr.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c.Lost[flow.StageLimited]
}
