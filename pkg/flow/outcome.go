package flow

// Outcome is how a finding ended. The empty string means that it has not
// ended or, with an end time, that its end was not seen.
type Outcome string

// The outcomes.
const (
	Recovered Outcome = "Recovered"
	TimedOut  Outcome = "TimedOut" // the kernel aborted it, whatever the errno
	Reset     Outcome = "Reset"
	Closed    Outcome = "Closed"
)

// Outcomes returns every outcome, in the contract's order.
func Outcomes() []Outcome {
	return []Outcome{Recovered, TimedOut, Reset, Closed}
}
