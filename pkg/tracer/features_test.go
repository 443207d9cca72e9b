package tracer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// kernelWith is a kernel that has these types.
func kernelWith(t *testing.T, types ...btf.Type) *btf.Spec {
	t.Helper()
	builder, err := btf.NewBuilder(types, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := builder.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func tracepoint(name string, arguments int) btf.Type {
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	params := make([]btf.FuncParam, arguments+1)
	for i := range params {
		params[i].Type = number
	}
	return &btf.Typedef{Name: "btf_trace_" + name, Type: &btf.Pointer{Target: &btf.FuncProto{Return: number, Params: params}}}
}

func TestFeaturesAreProbed(t *testing.T) {
	number := &btf.Int{Name: "int", Size: 4}
	linear := &btf.Struct{Name: "netns_ipv4", Size: 4, Members: []btf.Member{{Name: "sysctl_tcp_syn_linear_timeouts", Type: number}}}
	hidden := &btf.Struct{Name: "inet_connection_sock", Size: 4, Members: []btf.Member{
		{Type: &btf.Union{Size: 4, Members: []btf.Member{{Type: &btf.Struct{Size: 4, Members: []btf.Member{{Name: "icsk_rto_max", Type: number}}}}}}},
	}}
	for _, c := range []struct {
		name  string
		types []btf.Type
		want  map[string]bool
	}{
		{"none", []btf.Type{tracepoint("tcp_retransmit_skb", 2)}, nil},
		{"the error of a retransmission", []btf.Type{tracepoint("tcp_retransmit_skb", 3)}, map[string]bool{"retransmit_error": true}},
		{"a tracepoint", []btf.Type{tracepoint("tcp_send_reset", 3)}, map[string]bool{"send_reset": true}},
		{"a member", []btf.Type{linear}, map[string]bool{"syn_linear_timeouts": true}},
		{"a member of a part without a name", []btf.Type{hidden}, map[string]bool{"rto_max": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := features(kernelWith(t, c.types...))
			for name, has := range got {
				if has != c.want[name] {
					t.Errorf("%s: got %t", name, has)
				}
			}
			if len(got) != 10 {
				t.Errorf("got %v, want all ten names", got)
			}
		})
	}
}

// TestThisKernelIsEnough proves that the names that explain a refusal are
// those of a kernel that refuses nothing.
func TestThisKernelIsEnough(t *testing.T) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	if missing := lacking(kernel); len(missing) > 0 {
		t.Errorf("it lacks %v", missing)
	}
	// Settings that a namespace has show what the types must, too.
	got := map[string]bool{}
	want := map[string]bool{}
	for feature, sysctl := range map[string]string{"syn_linear_timeouts": "tcp_syn_linear_timeouts", "rto_max": "tcp_rto_max_ms"} {
		got[feature] = features(kernel)[feature]
		_, err := os.Stat("/proc/sys/net/ipv4/" + sysctl)
		want[feature] = err == nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestARefusalIsOneClearSentence(t *testing.T) {
	refused := &ebpf.VerifierError{Cause: os.ErrPermission, Log: []string{"R1 type=scalar expected=ptr_"}}
	denied := fmt.Errorf("map episodes: %w (MEMLOCK may be too low)", os.ErrPermission)
	old := lacking(kernelWith(t, tracepoint("tcp_retransmit_skb", 2)))
	for _, c := range []struct {
		name    string
		err     error
		lacking []string
		kernel  bool
		says    string
	}{
		{"a capability", denied, nil, false, "load the kernel programs: permission denied: that needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"},
		{"an old kernel", denied, old, true, "this kernel cannot run tcpstuck: it lacks socket storage in tracing programs, bpf_sock_from_file, " +
			"socket cookies in tracing programs; Linux 5.12 is the oldest that has all it needs"},
		{"another kernel", refused, nil, true, "permission denied: R1 type=scalar expected=ptr_; Linux 5.12 is the oldest that has all it needs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := explainLoad(c.err, c.lacking)
			if !strings.HasSuffix(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it says\n%s\nwant\n%s", err, c.says)
			}
			if errors.Is(err, ErrKernel) != c.kernel {
				t.Errorf("%v is of the wrong kind", err)
			}
		})
	}
}
