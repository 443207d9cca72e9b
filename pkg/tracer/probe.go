package tracer

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Probe asks the kernel once for each kind of operation that the Tracer's methods
// need: an iterator's descriptor, a value of a map, a change of one. It changes
// nothing. An error is most likely a missing capability.
func (t *Tracer) Probe() error {
	for name, l := range t.links {
		iter, ok := l.(*link.Iter)
		if !ok {
			continue
		}
		file, err := iter.Open()
		if err != nil {
			return fmt.Errorf("open iterator %s: %w", name, err)
		}
		if err := file.Close(); err != nil {
			return fmt.Errorf("close iterator %s: %w", name, err)
		}
	}
	if _, err := t.Counters(); err != nil {
		return err
	}
	nobody := tcpstuckGoneKey{}
	if err := t.objects.Maps[tcpstuckMapGone].Delete(nobody); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("delete from a map: %w", err)
	}
	return nil
}
