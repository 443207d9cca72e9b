package tracer

import (
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

// types are the kernel's; a tracer changes nothing in them.
var types = btf.NewCache()

func open(t testing.TB, o Options) *Tracer {
	t.Helper()
	privtest.Require(t)
	tr, err := openWith(types, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

func TestOpenAttachesEverything(t *testing.T) {
	tr := open(t, Options{})
	c, err := tr.Counters()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.Programs {
		if !p.Attached {
			t.Errorf("%s is not attached", p.Name)
		}
	}
	if _, err := tr.ScanFiles(); err != nil {
		t.Error(err)
	}
	if _, err := snapshot(tr); err != nil {
		t.Error(err)
	}
}
