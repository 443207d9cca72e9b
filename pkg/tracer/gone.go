package tracer

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// SetGone gives the kernel side the peers that are gone, and replaces those of the
// last call: connections by the tuple that their socket sends, and every connection
// to an address. File scans then make a suspect of each idle socket that still
// points at one. At most 65,536 fit: the addresses and then the first of the
// connections. The others are left out, and the error says how many.
func (t *Tracer) SetGone(tuples []flow.Tuple, addrs []netip.Addr) error {
	most := int(t.objects.Maps[tcpstuckMapGone].MaxEntries())
	want := make(map[tcpstuckGoneKey]struct{}, min(most, len(tuples)+len(addrs)))
	left := 0
	add := func(key tcpstuckGoneKey) {
		if _, ok := want[key]; !ok && len(want) >= most {
			left++
			return
		}
		want[key] = struct{}{}
	}
	for _, addr := range addrs {
		add(tcpstuckGoneKey{Remote: packed(addr)})
	}
	for _, tuple := range tuples {
		add(tcpstuckGoneKey{
			Local: packed(tuple.Src.Addr()), Remote: packed(tuple.Dst.Addr()),
			LocalPort: tuple.Src.Port(), RemotePort: tuple.Dst.Port(),
		})
	}
	m := t.objects.Maps[tcpstuckMapGone]
	for key := range t.gone {
		if _, ok := want[key]; ok {
			continue
		}
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forget a peer that was gone: %w", err)
		}
		delete(t.gone, key)
	}
	var failed error
	for key := range want {
		if _, ok := t.gone[key]; ok {
			continue
		}
		if err := m.Put(key, uint8(1)); err != nil {
			left, failed = left+1, err
			continue
		}
		t.gone[key] = struct{}{}
	}
	if err := t.objects.Variables[tcpstuckVarGonePeers].Set(uint32(len(t.gone))); err != nil {
		return fmt.Errorf("count the peers that are gone: %w", err)
	}
	if left > 0 {
		return fmt.Errorf("%d peers that are gone were left out: %w", left, cmp.Or(failed, errGoneFull))
	}
	return nil
}

var errGoneFull = errors.New("there is no room for more")

// packed returns an address as the kernel side compares it: IPv4 in the first
// four bytes.
func packed(addr netip.Addr) (b [16]uint8) {
	if addr = addr.Unmap(); addr.Is4() {
		four := addr.As4()
		copy(b[:], four[:])
		return b
	}
	return addr.As16()
}
