package flow

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
)

// APIVersion is the version of the JSON form of a Finding.
const APIVersion = "tcpstuck/v1"

// CheckAPIVersion returns an error unless an answer is of APIVersion; one
// without a version is no answer.
func CheckAPIVersion(got string) error {
	if got != APIVersion {
		return fmt.Errorf("apiVersion is %q, this program reads %q", got, APIVersion)
	}
	return nil
}

// wire is a Finding as users see it: absent knowledge is null.
type wire struct {
	APIVersion string       `json:"apiVersion"`
	ID         string       `json:"id"`
	BootID     *string      `json:"boot_id"`
	Node       *string      `json:"node"`
	NetNS      uint32       `json:"netns"`
	Role       *Role        `json:"role"`
	State      string       `json:"tcp_state"`
	Family     int          `json:"family"`
	Local      wireLocal    `json:"local"`
	Peer       wirePeer     `json:"peer"`
	Backend    *wireBackend `json:"backend"`

	Symptom  Symptom    `json:"symptom"`
	Cause    Cause      `json:"cause"`
	Sentence string     `json:"sentence"`
	Advice   []Advice   `json:"advice"`
	Evidence []Evidence `json:"evidence"`
	History  []Step     `json:"history"`
	Mute     *Mute      `json:"muted"`
	Orphan   bool       `json:"orphan"`

	At             *time.Time `json:"at"`
	Since          *time.Time `json:"since"`
	AgeSeconds     *float64   `json:"age_seconds"`
	Timeouts       int        `json:"timeouts"`
	RTOSeconds     *float64   `json:"rto_seconds"`
	Unacknowledged uint32     `json:"unacknowledged_bytes"`
	Unsent         uint32     `json:"unsent_bytes"`
	SendBufferUsed float64    `json:"send_buffer_used_ratio"`
	ZeroWindow     bool       `json:"zero_window"`
	UserTimeout    float64    `json:"user_timeout_seconds"`
	Keepalive      bool       `json:"keepalive"`
	GivesUp        GivesUp    `json:"gives_up_at"`

	Outcome *Outcome   `json:"outcome"`
	Err     *string    `json:"error"`
	EndedAt *time.Time `json:"ended_at"`
}

type wireLocal struct {
	Address      netip.Addr `json:"address"`
	Port         uint16     `json:"port"`
	Namespace    *string    `json:"namespace"`
	Pod          *string    `json:"pod"`
	PodUID       *string    `json:"pod_uid"`
	Workload     *string    `json:"workload"`
	WorkloadKind *string    `json:"workload_kind"`
	Container    *string    `json:"container"`
	PID          *uint32    `json:"pid"`
	Comm         *string    `json:"comm"`
}

type wirePeer struct {
	Class     *PeerClass `json:"class"`
	Address   netip.Addr `json:"address"`
	Port      uint16     `json:"port"`
	Namespace *string    `json:"namespace"`
	Service   *string    `json:"service"`
	Name      *string    `json:"name"`
}

type wireBackend struct {
	Address   netip.Addr   `json:"address"`
	Port      uint16       `json:"port"`
	Namespace *string      `json:"namespace"`
	Pod       *string      `json:"pod"`
	Node      *string      `json:"node"`
	State     BackendState `json:"state"`
	Since     *time.Time   `json:"since"`
}

// MarshalJSON writes the finding in the form of the contract.
func (f Finding) MarshalJSON() ([]byte, error) {
	w := wire{
		APIVersion: APIVersion, ID: f.ID.String(), BootID: maybe(f.BootID), Node: maybe(f.Node),
		NetNS: f.NetNS, Role: maybe(f.Role), State: f.State.String(), Family: f.Family,
		Local: wireLocal{
			Address: f.Local.Addr.Addr(), Port: f.Local.Addr.Port(), Namespace: maybe(f.Local.Namespace),
			Pod: maybe(f.Local.Pod), PodUID: maybe(f.Local.PodUID), Workload: maybe(f.Local.Workload), WorkloadKind: maybe(f.Local.WorkloadKind),
			Container: maybe(f.Local.Container), PID: maybe(f.Local.PID), Comm: maybe(f.Local.Comm),
		},
		Peer: wirePeer{
			Class: maybe(f.Peer.Class), Address: f.Peer.Addr.Addr(), Port: f.Peer.Addr.Port(),
			Namespace: maybe(f.Peer.Namespace), Service: maybe(f.Peer.Service), Name: maybe(f.Peer.Name),
		},
		Symptom: f.Symptom, Cause: f.Cause, Sentence: f.Sentence,
		Advice: list(f.Advice), Evidence: list(f.Evidence), History: list(f.History), Mute: maybe(f.Mute), Orphan: f.Orphan,
		At: instant(f.At), Since: instant(f.Since), Timeouts: f.Timeouts,
		Unacknowledged: f.Unacknowledged, Unsent: f.Unsent, SendBufferUsed: round(f.SendBufferUsed),
		ZeroWindow: f.ZeroWindow, UserTimeout: f.UserTimeout.Seconds(), Keepalive: f.Keepalive,
		GivesUp: f.GivesUp, Outcome: maybe(f.Outcome), Err: maybe(f.Err), EndedAt: instant(f.EndedAt),
	}
	if !f.Since.IsZero() {
		age := round(f.Age().Seconds())
		w.AgeSeconds = &age
	}
	if f.RTO > 0 {
		rto := round(f.RTO.Seconds())
		w.RTOSeconds = &rto
	}
	if f.Backend != nil {
		w.Backend = &wireBackend{
			Address: f.Backend.Addr.Addr(), Port: f.Backend.Addr.Port(), Namespace: maybe(f.Backend.Namespace),
			Pod: maybe(f.Backend.Pod), Node: maybe(f.Backend.Node), State: f.Backend.State,
			Since: instant(f.Backend.Since),
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote; null becomes the zero value.
func (f *Finding) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	if err := CheckAPIVersion(w.APIVersion); err != nil {
		return err
	}
	id, err := ParseID(w.ID)
	if err != nil {
		return err
	}
	*f = Finding{
		ID: id, BootID: value(w.BootID), Node: value(w.Node), NetNS: w.NetNS, Role: value(w.Role),
		State: parseState(w.State), Family: w.Family,
		Local: Local{
			Addr: netip.AddrPortFrom(w.Local.Address, w.Local.Port), Namespace: value(w.Local.Namespace),
			Pod: value(w.Local.Pod), PodUID: value(w.Local.PodUID), Workload: value(w.Local.Workload), WorkloadKind: value(w.Local.WorkloadKind),
			Container: value(w.Local.Container), PID: value(w.Local.PID), Comm: value(w.Local.Comm),
		},
		Peer: Peer{
			Class: value(w.Peer.Class), Addr: netip.AddrPortFrom(w.Peer.Address, w.Peer.Port),
			Namespace: value(w.Peer.Namespace), Service: value(w.Peer.Service), Name: value(w.Peer.Name),
		},
		Symptom: w.Symptom, Cause: w.Cause, Sentence: w.Sentence, Advice: w.Advice, Evidence: w.Evidence,
		History: w.History, Mute: value(w.Mute), Orphan: w.Orphan, At: value(w.At), Since: value(w.Since), Timeouts: w.Timeouts,
		RTO: seconds(value(w.RTOSeconds)), Unacknowledged: w.Unacknowledged, Unsent: w.Unsent,
		SendBufferUsed: w.SendBufferUsed, ZeroWindow: w.ZeroWindow, UserTimeout: seconds(w.UserTimeout),
		Keepalive: w.Keepalive, GivesUp: w.GivesUp, Outcome: value(w.Outcome), Err: value(w.Err),
		EndedAt: value(w.EndedAt),
	}
	if w.Backend != nil {
		f.Backend = &Backend{
			Addr: netip.AddrPortFrom(w.Backend.Address, w.Backend.Port), Namespace: value(w.Backend.Namespace),
			Pod: value(w.Backend.Pod), Node: value(w.Backend.Node), State: w.Backend.State, Since: value(w.Backend.Since),
		}
	}
	return nil
}

// MarshalJSON writes a time, "never", or null.
func (g GivesUp) MarshalJSON() ([]byte, error) {
	if g.Never {
		return []byte(`"never"`), nil
	}
	return json.Marshal(instant(g.At))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (g *GivesUp) UnmarshalJSON(b []byte) error {
	*g = GivesUp{}
	if string(b) == `"never"` {
		g.Never = true
		return nil
	}
	var at *time.Time
	if err := json.Unmarshal(b, &at); err != nil {
		return err
	}
	g.At = value(at)
	return nil
}

func parseState(s string) TCPState {
	for n, name := range tcpStates {
		if name == s && name != "" {
			return TCPState(n)
		}
	}
	return 0
}

func maybe[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Round(time.Millisecond)
	return &t
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

func round(x float64) float64 { return float64(int64(x*1000+0.5)) / 1000 }

func seconds(x float64) time.Duration {
	return time.Duration(x * float64(time.Second)).Round(time.Microsecond)
}
