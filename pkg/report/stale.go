package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
	"github.com/tcpstuck/tcpstuck/pkg/phrase"
)

// Stale lists the conntrack entries that outlived their flows, each with the
// command that deletes it.
func Stale(w io.Writer, entries []flow.StaleEntry, now time.Time) error {
	if len(entries) == 0 {
		_, err := fmt.Fprintln(w, "No conntrack entry outlived its flow.")
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s still %s to a deleted backend; no flow is stuck on %s.\n", phrase.Count(len(entries), "conntrack entry", "conntrack entries"),
		phrase.Noun(len(entries), "leads", "lead"), phrase.Noun(len(entries), "it", "them"))
	for _, e := range entries {
		pod := ""
		if e.Pod != "" {
			pod = fmt.Sprintf("pod %s/%s, ", e.Namespace, e.Pod)
		}
		fmt.Fprintf(&b, "\n%s → %s → %s (%sdeleted %s ago), expires in %s\n  %s\n", e.Client, e.Service, e.Backend, pod,
			phrase.Duration(now.Sub(e.DeletedAt)), phrase.Duration(e.ExpiresAt.Sub(now)), e.Command)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
