package inspector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestRecordsThatFlipReviseOnceInTenSeconds: and the latest verdict wins.
func TestRecordsThatFlipReviseOnceInTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, nil)
		n.kernel.retransmits(hung())
		n.await(flow.EventStuck)
		began := time.Now()
		for range 4 * 60 {
			time.Sleep(125 * time.Millisecond)
			n.replace(without())
			time.Sleep(125 * time.Millisecond)
			n.replace(objects())
		}
		n.replace(without())
		time.Sleep(11 * time.Second)
		var revised []flow.Event
		for len(n.events) > 0 {
			revised = append(revised, n.await(flow.EventRevised))
		}
		if most := int(time.Since(began)/(10*time.Second)) + 1; len(revised) < 3 || len(revised) > most {
			t.Fatalf("revised %d times, want %d times at most", len(revised), most)
		}
		for k, e := range revised[1:] {
			if after := e.Time.Sub(revised[k].Time); after < 10*time.Second {
				t.Errorf("revised again after %v", after)
			}
		}
		if last := revised[len(revised)-1]; verdict(last) != "Retransmitting · StaleConntrack" {
			t.Errorf("the last word is %s, want the latest verdict", verdict(last))
		}
		n.replace(objects())
		n.await(flow.EventRevised)
		n.replace(without())
		time.Sleep(time.Second)
		n.replace(objects())
		time.Sleep(20 * time.Second)
		if len(n.events) != 0 {
			t.Errorf("event %+v, and the verdict is the one that was reported last", <-n.events)
		}
	})
}
