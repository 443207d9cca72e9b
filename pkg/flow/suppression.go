package flow

// Suppression says why a finding is suppressed: it is counted, but it is not listed
// and makes no event. The empty string means that it is reported.
type Suppression string

// The reasons to suppress a finding.
const (
	// SuppressedExternalClient is an accepted socket whose client outside the
	// cluster vanished: every node that serves the internet holds many.
	SuppressedExternalClient Suppression = "external-client"
	// SuppressedClosing is a socket that has nothing outstanding but its FIN: no
	// application can lose anything by it, and it ends by itself.
	SuppressedClosing Suppression = "closing"
	// SuppressedAtRisk is an idle flow whose backend was deleted a moment ago: its
	// FIN may still be in flight.
	SuppressedAtRisk Suppression = "at-risk"
)
