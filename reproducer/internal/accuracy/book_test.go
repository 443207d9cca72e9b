package accuracy

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestABookIsWhole: an act whose connections are not labelled is not passed
// over.
func TestABookIsWhole(t *testing.T) {
	r := Round{Number: 3, Acts: []Act{{Name: "calico-1", Flows: 4}, {Name: "sidecar-2", Flows: 3}}}
	var b Book
	for n := range 4 {
		b.Labels = append(b.Labels, Label{Flow: fmt.Sprintf("3/calico-1/1.%d", n+1)})
	}
	if err := b.whole(r); err == nil {
		t.Error("an act without labels passes")
	}
	b.Labels = append(b.Labels, Label{Flow: "3/sidecar-2/1.1"}, Label{Flow: "3/sidecar-2/2.1"})
	if err := b.whole(r); err != nil {
		t.Error(err)
	}
}

// TestABookIsJudgedAgain: what was kept is judged as it was.
func TestABookIsJudgedAgain(t *testing.T) {
	folder := t.TempDir()
	b := Book{
		Seed: 42, Round: 7, Up: up, Over: after(60), Labels: []Label{label(flow.Retransmitting, flow.StaleConntrack)},
		Truths: map[string]*Truth{"1/a-1/1.1": dead()}, Events: []flow.Event{said(flow.EventStuck, 1, flow.Retransmitting, flow.StaleConntrack)},
	}
	if err := b.keep(folder); err != nil {
		t.Fatal(err)
	}
	again, err := ReadBook(filepath.Join(folder, "42-7.json"))
	if err != nil {
		t.Fatal(err)
	}
	faults := func(b Book) map[Fault]string { return b.Judge().Scores[0].Faults }
	if diff := cmp.Diff(faults(b), faults(again)); diff != "" || len(faults(b)) == 0 {
		t.Errorf("judged %v, and again (-then +now):\n%s", faults(b), diff)
	}
	b.Round = 8
	if err := b.keep(folder); err != nil {
		t.Fatal(err)
	}
	both, err := JudgeAgain(folder)
	if err != nil || len(both.Failures()) != 2 || both.Failures()[0].Seed != 42 {
		t.Errorf("two rounds judged again: %+v, %v", both, err)
	}
	if r, err := JudgeAgain(t.TempDir()); err == nil || r.OK() {
		t.Errorf("a folder without books passes: %v", err)
	}
}
