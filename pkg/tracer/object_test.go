package tracer

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// TestTheObjectFitsItsDecoder compares the compiled object with what Go reads of
// it, on any architecture and without a kernel.
func TestTheObjectFitsItsDecoder(t *testing.T) {
	spec, err := loadTcpstuck()
	if err != nil {
		t.Fatal(err)
	}
	for name, record := range map[string]reflect.Type{
		"reading": reflect.TypeFor[tcpstuckReading](), "audited": reflect.TypeFor[tcpstuckAudited](), "listener": reflect.TypeFor[tcpstuckListener](), "resident": reflect.TypeFor[tcpstuckResident](),
		"gone_key": reflect.TypeFor[tcpstuckGoneKey](), "loss_total": reflect.TypeFor[tcpstuckLossTotal](), "cpu": reflect.TypeFor[tcpstuckCpu](),
	} {
		var kernels *btf.Struct
		if err := spec.Types.TypeByName(name, &kernels); err != nil {
			t.Fatal(err)
		}
		if uintptr(kernels.Size) != record.Size() {
			t.Errorf("%s has %d bytes in the object and %d in Go", name, kernels.Size, record.Size())
		}
		fields := record.NumField() - 1 // the first marks the layout
		if fields != len(kernels.Members) {
			t.Fatalf("%s has %d members in the object and %d in Go", name, len(kernels.Members), fields)
		}
		for i, m := range kernels.Members {
			f := record.Field(i + 1)
			if !strings.EqualFold(strings.ReplaceAll(m.Name, "_", ""), f.Name) || uintptr(m.Offset.Bytes()) != f.Offset {
				t.Errorf("%s: %s at %d in the object is %s at %d in Go", name, m.Name, m.Offset.Bytes(), f.Name, f.Offset)
			}
		}
	}
}

// TestTheObjectIsReadyToLoad does all that comes before the kernel's word: a
// program for each row of the table, and every knob that Go sets.
func TestTheObjectIsReadyToLoad(t *testing.T) {
	spec, err := loadTcpstuck()
	if err != nil {
		t.Fatal(err)
	}
	kernel := kernelWith(t, tracepoint("tcp_retransmit_skb", 3), tracepoint("inet_sock_set_state", 3))
	dropped, err := drop(spec, kernel)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(spec.Programs)+len(dropped), len(attachments()); got != want {
		t.Errorf("%d programs, and %d rows of the table", got, want)
	}
	for _, a := range attachments() {
		if program := spec.Programs[a.program]; program != nil && len(program.Instructions) == 0 {
			t.Errorf("%s has no instructions", a.program)
		}
	}
	if err := configure(spec, Options{Scope: []uint32{1}, RingBytes: 4096}.withDefaults()); err != nil {
		t.Fatal(err)
	}
	if got, want := spec.Variables[tcpstuckVarCpus].Size(), tcpstuckCPUs*unsafe.Sizeof(tcpstuckCpu{}); uintptr(got) != want {
		t.Errorf("what CPUs have takes %d bytes in the object and %d in Go", got, want)
	}
	if got := spec.Maps[tcpstuckMapRecords].MaxEntries; got != 4096 {
		t.Errorf("the ring buffer has %d bytes", got)
	}
}

// TestTheObjectNeedsNoResultOfAnAtomicOperation: arm64 compiles none before 5.18, and the
// agent runs from 5.12 on.
func TestTheObjectNeedsNoResultOfAnAtomicOperation(t *testing.T) {
	spec, err := loadTcpstuck()
	if err != nil {
		t.Fatal(err)
	}
	adds := 0
	for name, program := range spec.Programs {
		for n, ins := range program.Instructions {
			switch op := ins.OpCode.AtomicOp(); op {
			case asm.InvalidAtomic:
			case asm.AddAtomic:
				adds++
			default:
				t.Errorf("%s, instruction %d: %v", name, n, op)
			}
		}
	}
	if adds == 0 {
		t.Error("there is no atomic operation at all: the test sees none")
	}
}
