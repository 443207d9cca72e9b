package tracer

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// ErrKernel is a kernel without a feature that tcpstuck needs.
var ErrKernel = errors.New("this kernel cannot run tcpstuck")

// attachment is one row of the table of attachments.
type attachment struct {
	program    string
	tracepoint string // typed tracepoint, or
	iterator   bool
	optional   bool
	needs      string // what it is for and which kernel has it, for the message
}

// attachments is the table. Optional ones warn when they are missing;
// mandatory ones fail the start.
func attachments() []attachment {
	return []attachment{
		{program: tcpstuckProgRetransmit, tracepoint: "tcp_retransmit_skb", needs: "it shows retransmissions; Linux 5.12 and later have it with BTF"},
		{program: tcpstuckProgSetState, tracepoint: "inet_sock_set_state", needs: "it shows how a connection ends; Linux 5.12 and later have it with BTF"},
		{program: tcpstuckProgReceiveReset, tracepoint: "tcp_receive_reset", optional: true, needs: "without it a reset whose errno equals an earlier soft error reads as a time-out"},
		{program: tcpstuckProgSendReset, tracepoint: "tcp_send_reset", optional: true, needs: "without it data that comes in after a close reads as a reset by the peer"},
		{program: tcpstuckProgDestroySock, tracepoint: "tcp_destroy_sock", optional: true, needs: "without it an end that the kernel does not show is found only while its owner holds the socket"},
		{program: tcpstuckProgLeaveLoss, tracepoint: "tcp_cong_state_set", optional: true, needs: "without it a recovery is seen some seconds later"},
		{program: tcpstuckProgSnapshot, iterator: true, needs: "it reads all suspects; Linux 5.12 and later have it"},
		{program: tcpstuckProgScanFiles, iterator: true, needs: "it finds owners and listeners; Linux 5.12 and later have it"},
		{program: tcpstuckProgAuditFiles, iterator: true, needs: "it reads every connection for an audit; Linux 5.12 and later have it"},
		{program: tcpstuckProgResidents, iterator: true, needs: "it tells which processes live in which network namespace; Linux 5.12 and later have it"},
	}
}

// drop removes from spec the optional programs whose tracepoint this kernel
// lacks and returns them; a missing mandatory one is ErrKernel.
func drop(spec *ebpf.CollectionSpec, kernel *btf.Spec) ([]attachment, error) {
	var dropped []attachment
	for _, a := range attachments() {
		if a.tracepoint == "" {
			continue
		}
		if _, err := arguments(kernel, a.tracepoint); err == nil {
			continue
		}
		if !a.optional {
			return nil, fmt.Errorf("%w: no tracepoint %s in its BTF; %s", ErrKernel, a.tracepoint, a.needs)
		}
		delete(spec.Programs, a.program)
		dropped = append(dropped, a)
	}
	return dropped, nil
}

// arguments returns how many arguments a tracepoint hands to a program.
func arguments(kernel *btf.Spec, tracepoint string) (int, error) {
	var t *btf.Typedef
	if err := kernel.TypeByName("btf_trace_"+tracepoint, &t); err != nil {
		return 0, fmt.Errorf("find tracepoint %s: %w", tracepoint, err)
	}
	pointer, ok := t.Type.(*btf.Pointer)
	if !ok {
		return 0, fmt.Errorf("tracepoint %s is no function pointer", tracepoint)
	}
	proto, ok := pointer.Target.(*btf.FuncProto)
	if !ok {
		return 0, fmt.Errorf("tracepoint %s is no function pointer", tracepoint)
	}
	return len(proto.Params) - 1, nil // the first is the tracepoint's own data
}

// programs are those that are loaded, with what they share and what they are
// attached to.
type programs struct {
	objects *ebpf.Collection
	// links keeps every attachment alive: the garbage collector would detach it.
	links map[string]link.Link
	// These are what past reads were made into. New ones for each read would be most of
	// the garbage of an idle agent.
	buffers, cpus sync.Pool
}

// attach attaches every program of the table that was loaded.
func (p *programs) attach(log *slog.Logger) error {
	for _, a := range attachments() {
		program := p.objects.Programs[a.program]
		if program == nil {
			continue
		}
		l, err := p.attachOne(a, program)
		if err != nil && !a.optional {
			return fmt.Errorf("%w: attach %s: %w; %s", ErrKernel, a.program, err, a.needs)
		}
		if err != nil {
			log.Warn("an optional kernel program could not be attached", "program", a.program, "error", err, "consequence", a.needs)
			continue
		}
		p.links[a.program] = l
	}
	return nil
}

func (p *programs) attachOne(a attachment, program *ebpf.Program) (link.Link, error) {
	if !a.iterator {
		return link.AttachTracing(link.TracingOptions{Program: program})
	}
	options := link.IterOptions{Program: program}
	if a.program == tcpstuckProgSnapshot {
		options.Map = p.objects.Maps[tcpstuckMapEpisodes]
	}
	return link.AttachIter(options)
}

// attached reports whether a program is attached.
func (p *programs) attached(program string) bool { return p.links[program] != nil }

// close detaches everything.
func (p *programs) close() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Close())
	}
	p.objects.Close()
	return errors.Join(errs...)
}
