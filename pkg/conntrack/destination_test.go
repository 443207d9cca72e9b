package conntrack_test

import (
	"net/netip"
	"testing"

	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

func TestTranslates(t *testing.T) {
	privtest.InNewNetNS(t)
	table := open(t)
	plain := tuple("192.168.75.2:5", "203.0.113.9:5432")
	fill(t, entry(service4, backend4), entry(service6, backend6), entry(plain, plain.Reverse()))
	for addr, want := range map[string]bool{
		service4.Dst.Addr().String(): true,
		service6.Dst.Addr().String(): true,
		"203.0.113.9":                false, // connected to, not translated
		"10.96.0.77":                 false,
		backend4.Src.Addr().String(): false,
	} {
		got, err := table.Translates(t.Context(), netip.MustParseAddr(addr))
		if err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", addr, got, err, want)
		}
	}
	if _, err := table.Translates(t.Context(), netip.Addr{}); err == nil {
		t.Error("no address was searched for")
	}
}
