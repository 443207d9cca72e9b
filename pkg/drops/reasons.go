package drops

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// reasonsOf returns the names of the running kernel's reasons, by their numbers, which differ
// between kernels; none: it has none (before 5.17).
func reasonsOf(kernel *btf.Spec) map[uint32]string {
	var e *btf.Enum
	if kernel.TypeByName("skb_drop_reason", &e) != nil {
		return nil
	}
	names := make(map[uint32]string, len(e.Values))
	for _, v := range e.Values {
		name := strings.TrimPrefix(strings.TrimPrefix(v.Name, "SKB_DROP_REASON_"), "SKB_")
		names[uint32(v.Value)] = name
	}
	return names
}

// subsystem is where the high 16 bits of a reason say whose it is (SKB_DROP_REASON_SUBSYS_SHIFT).
const subsystem = 16

func (w *Watcher) name(reason uint32) string {
	if name, ok := w.reasons[reason]; ok {
		return name
	}
	return fmt.Sprintf("reason %d of subsystem %d", reason&(1<<subsystem-1), reason>>subsystem)
}
