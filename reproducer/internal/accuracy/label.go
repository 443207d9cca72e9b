package accuracy

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Label is the truth about one flow, because the injector made it true.
type Label struct {
	Flow   string         `json:"flow"` // round/act/number
	Kind   string         `json:"kind"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	Role   flow.Role      `json:"role"`
	Family string         `json:"family"` // 4, 6 or mapped
	// Verdicts are true one after the other; none: the agent may never report the
	// flow.
	Verdicts []Verdict `json:"verdicts,omitempty"`
	// Withheld are the times in which the injector kept the evidence from the
	// agent: Unknown is right then, too.
	Withheld []Window `json:"withheld,omitempty"`
	// Ends is how the flow ends, if it does.
	Ends flow.Outcome `json:"ends,omitempty"`
	// Lifted is when the fault was removed, if the flow recovers then.
	Lifted time.Time `json:"lifted,omitzero"`
	// Never says that the kernel never aborts it.
	Never bool `json:"never,omitempty"`
	// Risky says that the pod is deleted: until its FIN comes, or the flow loses its
	// conntrack entry, the flow may be reported as at risk.
	Risky bool `json:"risky,omitempty"`
	// Shaken says that the injected fault itself moves the kernel's clock while
	// it runs: less is demanded of the predictions (shakenTolerance).
	Shaken bool `json:"shaken,omitempty"`
}

// Verdict is the truth from a time on.
type Verdict struct {
	Since   time.Time    `json:"since"`
	Symptom flow.Symptom `json:"symptom"`
	Cause   flow.Cause   `json:"cause"`
	// Slack is how long the verdict that was true before may still be reported:
	// as long as nothing on this host can show the change.
	Slack time.Duration `json:"slack,omitempty"`
	// Recorded is since when the records say that the backend is gone, if that is
	// before Since: an idle flow may be reported as at risk from then on.
	Recorded time.Time `json:"recorded,omitzero"`
}

// risksFrom returns since when a flow may be reported as at risk.
func (v Verdict) risksFrom() time.Time {
	if v.Recorded.IsZero() {
		return v.Since
	}
	return v.Recorded
}

func (v Verdict) String() string { return string(v.Symptom) + " · " + string(v.Cause) }

// answers reports whether segments of the peer arrive all the same.
func (v Verdict) answers() bool {
	return v.Symptom == flow.ZeroWindow || v.Symptom == flow.Truncated || v.Cause == flow.PathDrop
}

// Window is a time in which evidence is withheld.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // zero: to the end
	Why  string    `json:"why"`
}

// Control reports whether nothing may be reported.
func (l Label) Control() bool { return len(l.Verdicts) == 0 }

// Final returns what is true in the end.
func (l Label) Final() Verdict { return l.Verdicts[len(l.Verdicts)-1] }

// True reports whether a verdict was right at a time.
func (l Label) True(symptom flow.Symptom, cause flow.Cause, at time.Time) bool {
	for i, v := range l.Verdicts {
		if v.Symptom != symptom || at.Before(v.Since) {
			continue
		}
		// What was true before stands as long as the evidence of the change is withheld.
		if i+1 < len(l.Verdicts) && at.After(l.Verdicts[i+1].Since.Add(l.Verdicts[i+1].Slack)) && !l.excuses(l.Verdicts[i+1].Cause, at) {
			continue
		}
		if v.Cause == cause || cause == flow.Unknown && l.excuses(v.Cause, at) {
			return true
		}
	}
	return false
}

// was reports whether a verdict was true before the final one.
func (l Label) was(symptom flow.Symptom, cause flow.Cause) bool {
	return slices.ContainsFunc(l.Verdicts[:len(l.Verdicts)-1], func(v Verdict) bool { return v.Symptom == symptom && v.Cause == cause })
}

// aboutTheEnd reports whether a verdict has the final symptom, and not one that was true
// before.
func (l Label) aboutTheEnd(e flow.Event) bool {
	for _, v := range l.Verdicts[:len(l.Verdicts)-1] {
		if e.Flow.Symptom == v.Symptom && e.Flow.Cause == v.Cause && v.Cause != l.Final().Cause {
			return false
		}
	}
	return e.Flow.Symptom == l.Final().Symptom
}

// excuses reports whether Unknown is right for a cause at a time: the injector can only
// withhold what follows from the cluster's records.
func (l Label) excuses(cause flow.Cause, at time.Time) bool {
	switch cause {
	case flow.StaleConntrack, flow.PeerDeleted, flow.AddressReused, flow.PeerUnreachable, flow.PeerTerminating:
		return l.withheldAt(at)
	}
	return false
}

// lateAnswer is how long after a window the agent may take to have the evidence again.
const lateAnswer = 3 * time.Second

func (l Label) withheldAt(at time.Time) bool {
	for _, w := range l.Withheld {
		if !at.Before(w.From) && (w.To.IsZero() || at.Before(w.To.Add(lateAnswer))) {
			return true
		}
	}
	return false
}

// Log is the file of labels: a line for each change of each label, the last one holds.
// It is on disk when Write returns.
type Log struct{ file *os.File }

// OpenLog makes the file.
func OpenLog(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open labels: %w", err)
	}
	return &Log{file: f}, nil
}

// Write appends labels and waits for the disk.
func (l *Log) Write(labels []Label) error {
	enc := json.NewEncoder(l.file)
	for _, label := range labels {
		if err := enc.Encode(label); err != nil {
			return fmt.Errorf("write label: %w", err)
		}
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// ReadLabels reads a file of labels, in the order of their first lines.
func ReadLabels(path string) ([]Label, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	defer f.Close()
	var all []Label
	index := map[string]int{}
	for dec := json.NewDecoder(f); dec.More(); {
		var l Label
		if err := dec.Decode(&l); err != nil {
			return nil, fmt.Errorf("read labels: %w", err)
		}
		if i, known := index[l.Flow]; known {
			all[i] = l
			continue
		}
		index[l.Flow] = len(all)
		all = append(all, l)
	}
	return all, nil
}
