package flow

// Symptom is what the socket does.
type Symptom string

// The symptoms.
const (
	Retransmitting Symptom = "Retransmitting"
	Connecting     Symptom = "Connecting"
	ZeroWindow     Symptom = "ZeroWindow"
	LocalDrop      Symptom = "LocalDrop"
	HalfOpen       Symptom = "HalfOpen"
	Truncated      Symptom = "Truncated"
)

// Symptoms returns every symptom, in the contract's order.
func Symptoms() []Symptom {
	return []Symptom{Retransmitting, Connecting, ZeroWindow, LocalDrop, HalfOpen, Truncated}
}
