package report

import (
	"slices"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Watched says which flows are suspects or suppressed, and which program lists
// them; empty: none.
func Watched(suspects int, counted map[flow.Suppression]int, program string) string {
	var parts []string
	if suspects > 0 {
		parts = append(parts, phrase.Count(suspects, "suspect", "suspects")+" (no progress, not reported yet)")
	}
	if n := counted[flow.SuppressedExternalClient]; n > 0 {
		parts = append(parts, phrase.Count(n, "accepted flow of a vanished external client", "accepted flows of vanished external clients"))
	}
	if n := counted[flow.SuppressedClosing]; n > 0 {
		parts = append(parts, phrase.Count(n, "flow that only waits to close", "flows that only wait to close"))
	}
	if n := counted[flow.SuppressedAtRisk]; n > 0 {
		parts = append(parts, phrase.Count(n, "idle flow whose backend was just deleted", "idle flows whose backend was just deleted"))
	}
	if len(parts) == 0 {
		return ""
	}
	says := "Not listed: " + strings.Join(parts, ", ")
	if counted[flow.SuppressedExternalClient]+counted[flow.SuppressedClosing]+counted[flow.SuppressedAtRisk] == 0 {
		return says + "."
	}
	return says + "; " + program + " dump --all lists the suppressed ones."
}

// Hidden reports whether flows may hang that are not watched: some found no room,
// or the kernel side cannot be read.
func Hidden(hs []flow.Health) bool {
	return slices.ContainsFunc(hs, func(h flow.Health) bool { return h.Source == flow.SourceKernel && !h.Up })
}

// Sources says which sources can be trusted, and why others cannot.
func Sources(hs []flow.Health, now time.Time) string {
	var up, down []string
	for _, h := range hs {
		if h.Up {
			up = append(up, string(h.Source)+parens(h.Detail))
			continue
		}
		says := string(h.Source) + " DEGRADED"
		if !h.LastSync.IsZero() {
			says += " (last in step " + phrase.Duration(now.Sub(h.LastSync)) + " ago)"
		}
		if h.Detail != "" {
			says += ": " + h.Detail
		}
		down = append(down, says)
	}
	var parts []string
	if len(up) > 0 {
		parts = append(parts, strings.Join(up, ", ")+" ok")
	}
	parts = append(parts, down...)
	if len(parts) == 0 {
		return "Sources: none."
	}
	return "Sources: " + strings.Join(parts, "; ") + "."
}
