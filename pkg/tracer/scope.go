package tracer

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// cpusWith returns what each CPU starts with if these network namespaces are in
// scope.
func cpusWith(scope []uint32) (all [tcpstuckCPUs]tcpstuckCpu) {
	for i := range all {
		n := copy(all[i].Scope[:], scope)
		all[i].ScopeGoesOn = uint32(truth(len(scope) > n))
	}
	return all
}

// fillScope puts those namespaces into the map for which a CPU has no room.
func fillScope(m *ebpf.Map, scope []uint32) error {
	few := len(tcpstuckCpu{}.Scope)
	for _, inum := range scope[min(few, len(scope)):] {
		if err := m.Put(inum, uint8(1)); err != nil {
			return fmt.Errorf("put network namespace %d in scope: %w", inum, err)
		}
	}
	return nil
}
