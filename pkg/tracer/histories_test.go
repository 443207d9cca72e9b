package tracer

import (
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

const (
	histories    = 100_000
	atOnce       = 64 // LIVES of bpf/histories.bpf.c
	steps        = 40
	perLedger    = 4
	heldAtMost   = 3
	watchedAfter = 10 * time.Second
)

// TestWhatStandsStillIsHeldOrNew plays random histories of sockets against the
// lines that the kernel side runs and against the ledger. Records are lost and
// late, buffers are full, the ledger is full, its owner forgets flows. Whenever
// both sides had time to settle, the ledger holds each socket that stands
// still, unless it is full; and no socket recovered whose snd_una stands.
func TestWhatStandsStillIsHeldOrNew(t *testing.T) {
	t.Parallel()
	privtest.Require(t)
	p := newPlay(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	checked := 0
	for n := range (histories + atOnce - 1) / atOnce {
		world := newWorld(rand.New(rand.NewPCG(seed, uint64(n))))
		for range steps {
			world.step()
			p.run(world)
			if err := world.take(); err != nil {
				t.Fatalf("histories from %d on: %v", n*atOnce, err)
			}
		}
		for range 4 { // lost records, two looks that are owed, one more where there was no room
			world.settle(p)
		}
		held, err := world.check()
		if err != nil {
			t.Fatalf("histories from %d on: %v", n*atOnce, err)
		}
		checked += held
	}
	if checked < histories/10 {
		t.Errorf("only %d sockets stood still at the end of %d histories", checked, histories)
	}
}

type play struct {
	program *ebpf.Program
	lives   *ebpf.Variable
}

func newPlay(t *testing.T) *play {
	t.Helper()
	spec, err := loadHistories()
	if err != nil {
		t.Fatal(err)
	}
	objects, err := ebpf.NewCollection(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(objects.Close)
	return &play{objects.Programs[historiesProgPlay], objects.Variables[historiesVarLives]}
}

// run has the kernel side take one step of every life.
func (p *play) run(w *world) {
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&w.lives)), unsafe.Sizeof(w.lives))
	if err := p.lives.Set(raw); err != nil {
		panic(err)
	}
	if _, err := p.program.Run(&ebpf.RunOptions{}); err != nil {
		panic(err)
	}
	if err := p.lives.Get(raw); err != nil {
		panic(err)
	}
}
