package inspector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestRecordsThatFlipReviseOnceInTwentySeconds: first once in ten, and the latest
// verdict wins.
func TestRecordsThatFlipReviseOnceInTwentySeconds(t *testing.T) {
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
		time.Sleep(21 * time.Second)
		var revised []flow.Event
		for len(n.events) > 0 {
			revised = append(revised, n.await(flow.EventRevised))
		}
		if most := int(time.Since(began)/(20*time.Second)) + 2; len(revised) < 3 || len(revised) > most {
			t.Fatalf("revised %d times, want %d times at most", len(revised), most)
		}
		for k, e := range revised[1:] {
			least := 20 * time.Second
			if k == 0 {
				least = 10 * time.Second
			}
			if after := e.Time.Sub(revised[k].Time); after < least {
				t.Errorf("revision %d after %v", k+1, after)
			}
		}
		if last := revised[len(revised)-1]; verdict(last) != "Retransmitting · StaleConntrack" {
			t.Errorf("the last word is %s, want the latest verdict", verdict(last))
		}
		time.Sleep(time.Minute)
		n.replace(objects())
		settled := n.await(flow.EventRevised)
		n.replace(without())
		if next := n.await(flow.EventRevised); next.Time.Sub(settled.Time) > 11*time.Second {
			t.Errorf("a verdict that had settled is revised %v later", next.Time.Sub(settled.Time))
		}
		n.replace(objects())
		time.Sleep(21 * time.Second)
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
