package tracer

import (
	"maps"

	"github.com/cilium/ebpf/btf"
)

// Features returns which of the kernel's later additions this kernel has, by the
// names that the metrics give them. tcpstuck uses what is there and does
// without what is not.
func (t *Tracer) Features() map[string]bool { return maps.Clone(t.features) }

// features probes the kernel's own types, never its version: distributions
// carry additions back.
func features(kernel *btf.Spec) map[string]bool {
	n, err := arguments(kernel, "tcp_retransmit_skb")
	_, noReceiveReset := arguments(kernel, "tcp_receive_reset")
	_, noSendReset := arguments(kernel, "tcp_send_reset")
	_, noDestroySock := arguments(kernel, "tcp_destroy_sock")
	_, noCongState := arguments(kernel, "tcp_cong_state_set")
	var reasons *btf.Enum
	return map[string]bool{
		"retransmit_error":    err == nil && n >= 3, // 6.17: failed sends show
		"receive_reset":       noReceiveReset == nil,
		"send_reset":          noSendReset == nil,
		"destroy_sock":        noDestroySock == nil,
		"drop_reasons":        kernel.TypeByName("skb_drop_reason", &reasons) == nil,             // 5.17
		"cong_state_set":      noCongState == nil,                                                // 5.19
		"syn_linear_timeouts": hasMember(kernel, "netns_ipv4", "sysctl_tcp_syn_linear_timeouts"), // 6.5
		"usec_timestamps":     hasMember(kernel, "tcp_sock", "tcp_usec_ts"),                      // 6.7
		"rto_max":             hasMember(kernel, "inet_connection_sock", "icsk_rto_max"),         // 6.15
		"mptcp":               hasMember(kernel, "tcp_sock", "is_mptcp"),                         // CONFIG_MPTCP
	}
}

func hasMember(kernel *btf.Spec, structure, member string) bool {
	var s *btf.Struct
	return kernel.TypeByName(structure, &s) == nil && among(s.Members, member)
}

// among looks into unnamed structures and unions, too.
func among(members []btf.Member, name string) bool {
	for _, m := range members {
		if m.Name == name {
			return true
		}
		if m.Name != "" {
			continue
		}
		switch inner := btf.UnderlyingType(m.Type).(type) {
		case *btf.Struct:
			if among(inner.Members, name) {
				return true
			}
		case *btf.Union:
			if among(inner.Members, name) {
				return true
			}
		}
	}
	return false
}

// lacking names the helpers that the programs need and this kernel lacks. It
// explains a failed load and prevents none: a kernel that was built in another way
// may have them under other names.
func lacking(kernel *btf.Spec) []string {
	var all []string
	for _, helper := range []struct{ function, what string }{
		{"bpf_sk_storage_get_tracing", "socket storage in tracing programs"}, // 5.11
		{"bpf_sock_from_file", "bpf_sock_from_file"},                         // 5.11
		{"bpf_get_socket_ptr_cookie", "socket cookies in tracing programs"},  // 5.12
	} {
		var f *btf.Func
		if kernel.TypeByName(helper.function, &f) != nil {
			all = append(all, helper.what)
		}
	}
	return all
}
