package cluster

import "net/netip"

// ClusterIPs returns the ClusterIPs of at most limit living Services, in no
// particular order: each call may return others.
func (s *State) ClusterIPs(limit int) []netip.Addr {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var ips []netip.Addr
	for _, svc := range s.services {
		if len(ips) >= limit {
			break
		}
		ips = append(ips, svc.ClusterIPs...)
	}
	return ips
}
