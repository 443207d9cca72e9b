package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Stale lists the conntrack entries that outlived their flows, each with the
// command that deletes it.
func Stale(w io.Writer, entries []flow.StaleEntry, now time.Time) error {
	if len(entries) == 0 {
		_, err := fmt.Fprintln(w, "No conntrack entry outlived its flow.")
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s still %s to a deleted backend; no flow is stuck on %s.\n", count(len(entries), "conntrack entry", "conntrack entries"),
		plural(len(entries), "leads", "lead"), plural(len(entries), "it", "them"))
	for _, e := range entries {
		pod := ""
		if e.Pod != "" {
			pod = fmt.Sprintf("pod %s/%s, ", e.Namespace, e.Pod)
		}
		fmt.Fprintf(&b, "\n%s → %s → %s (%sdeleted %s ago), expires in %s\n  %s\n", e.Client, e.Service, e.Backend, pod,
			span(now.Sub(e.DeletedAt)), span(e.ExpiresAt.Sub(now)), e.Command)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
