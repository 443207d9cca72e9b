package diagnosis

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// sentence says whose connection it is, to which peer, since when, why, and when it
// ends. For a flow that is over it says the same in the past tense.
func sentence(e *Evidence, s flow.Symptom, why string) string {
	if s == flow.Truncated {
		return truncatedSentence(e, why)
	}
	lasted := e.Now.Sub(e.Socket.Since)
	if e.Ended {
		return subject(e) + " " + complained(s) + " " + place(e) + " from " + phrase.Zoned(e.Socket.Since, e.Now) + " on, for " + phrase.Duration(lasted) +
			". The last verdict was: " + why + "."
	}
	since := phrase.Zoned(e.Socket.Since, e.Now)
	if lasted >= time.Second {
		since += " (" + phrase.Duration(lasted) + ")"
	}
	return subject(e) + " " + complains(s) + " " + place(e) + " since " + since + ": " + why + ". " + stakes(e)
}

func complains(s flow.Symptom) string {
	switch s {
	case flow.Connecting:
		return "has been trying to connect to"
	case flow.ZeroWindow:
		return "has not been allowed to send to"
	case flow.LocalDrop:
		return "has got nothing out to"
	case flow.HalfOpen:
		return "has waited, idle, for"
	}
	return "has had no acknowledgement from"
}

func complained(s flow.Symptom) string {
	switch s {
	case flow.Connecting:
		return "tried to connect to"
	case flow.ZeroWindow:
		return "was not allowed to send to"
	case flow.LocalDrop:
		return "got nothing out to"
	case flow.HalfOpen:
		return "waited, idle, for"
	}
	return "had no acknowledgement from"
}

// stakes says what is at risk, and until when.
func stakes(e *Evidence) string {
	risk := "No byte is at risk"
	if n := e.Socket.AtRisk(); n > 0 {
		risk = phrase.Count(int(n), "byte is", "bytes are") + " at risk"
	}
	switch {
	case e.GivesUp.Never:
		return risk + "; the kernel will never give up by itself."
	case e.GivesUp.Known() && e.GivesUp.By.After(e.GivesUp.At):
		return risk + "; the kernel gives up between " + clock(e, e.GivesUp.At) + " and " + clock(e, e.GivesUp.By) + ", in " +
			phrase.Duration(e.GivesUp.At.Sub(e.Now)) + " at the earliest."
	case e.GivesUp.Known():
		return risk + "; the kernel gives up at " + clock(e, e.GivesUp.At) + ", in " + phrase.Duration(e.GivesUp.At.Sub(e.Now)) + "."
	}
	return risk + "; when the kernel gives up is not known."
}

// subject is the owner. Of a socket without a process it also says why: its owner
// closed it, or it never had one (NFS and iSCSI own theirs in the kernel).
func subject(e *Evidence) string {
	name := owner(&e.Local)
	switch {
	case e.Socket.Orphan:
		return name + ", closed by its owner,"
	case e.Local.PID == 0 && e.End == nil:
		return name + " (no process of it is known: the kernel's own, not accepted yet, or not looked for)"
	}
	return name
}

// owner names the owner of a socket: its pod and workload, or its process.
func owner(l *flow.Local) string {
	process := ""
	if l.PID != 0 {
		process = phrase.Process(l.Comm, l.PID)
		if l.Exited {
			process += ", exited"
		}
	}
	if l.Pod == "" {
		if process == "" {
			return "A socket at " + l.Addr.String()
		}
		return process
	}
	switch pod := l.Namespace + "/" + l.Pod; {
	case l.Workload == "" && process == "":
		return pod
	case l.Workload == "":
		return pod + " (" + process + ")"
	case process == "":
		return pod + " (" + l.WorkloadKind + " " + l.Workload + ")"
	default:
		return pod + " (" + l.WorkloadKind + " " + l.Workload + ", " + process + ")"
	}
}

// UpstreamOf names a stuck flow for the sentence of one that waits for it.
func UpstreamOf(e *Evidence) Upstream {
	return Upstream{Owner: owner(&e.Local), Peer: place(e), Cause: Decide(e).Cause}
}

// place names the peer as the socket knows it.
func place(e *Evidence) string {
	p := &e.Peer
	switch {
	case p.Service != "":
		return p.Namespace + "/" + p.Service + ":" + strconv.Itoa(int(p.Addr.Port()))
	case p.Name != "":
		return p.Name + " (" + p.Addr.String() + ")"
	case e.Backend.Pod != "" && !redirected(e):
		return e.Backend.Namespace + "/" + e.Backend.Pod + " (" + p.Addr.String() + ")"
	}
	return p.Addr.String()
}

func backendName(e *Evidence) string {
	if e.Backend.Pod == "" {
		return "the backend " + target(e).String()
	}
	return "the " + podName(&e.Backend) + " at " + target(e).String()
}

func podName(b *cluster.Backend) string {
	if b.Pod == "" {
		return "backend"
	}
	return "pod " + b.Namespace + "/" + b.Pod
}

func noLonger(services []string) string {
	if len(services) == 0 {
		return "in no EndpointSlice any more"
	}
	return "no longer a backend of " + strings.Join(services, ", ")
}

// clock says a time of day. The sentence has named the zone with its first one.
func clock(e *Evidence, t time.Time) string { return phrase.Time(t, e.Now) }

// at returns a preposition and a time of day, or nothing if the time is not known.
func at(e *Evidence, t time.Time, preposition string) string {
	if t.IsZero() {
		return ""
	}
	return preposition + clock(e, t)
}

// Errno returns the name of an errno, or "" for 0.
func Errno(n int) string {
	if n == 0 {
		return ""
	}
	if name := unix.ErrnoName(unix.Errno(n)); name != "" {
		return name
	}
	return "errno " + strconv.Itoa(n)
}
