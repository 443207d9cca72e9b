package flow

// Mute says why a finding is suppressed: it is counted, but it is not listed
// and makes no event. The empty string means that it is reported.
type Mute string

// The reasons to suppress a finding.
const (
	// MuteExternalClient is an accepted socket whose client outside the
	// cluster vanished: every node that serves the internet holds many.
	MuteExternalClient Mute = "external-client"
	// MuteClosing is a socket that has nothing outstanding but its FIN: no
	// application can lose anything by it, and it ends by itself.
	MuteClosing Mute = "closing"
	// MuteAtRisk is an idle flow whose backend was deleted a moment ago: its
	// FIN may still be in flight.
	MuteAtRisk Mute = "at-risk"
)
