// Package privilege keeps only the three Linux capabilities that the agent
// needs, and drops those that it no longer needs once it runs. It works on every
// thread of the process, and there is no way back.
package privilege

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// needed are what the agent starts with: the first two load and attach the
// kernel side, the last asks conntrack.
func needed() []cap.Value { return []cap.Value{cap.BPF, cap.PERFMON, cap.NET_ADMIN} }

// enough are the sets that may suffice for a running agent, the smallest first. Linux
// before 5.19 with kernel.unprivileged_bpf_disabled demands CAP_BPF for every map
// access, too.
func enough() [][]cap.Value {
	return [][]cap.Value{{cap.NET_ADMIN}, {cap.BPF, cap.NET_ADMIN}, needed()}
}

// Restrict leaves the process only CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, in effect,
// and sets no_new_privs: neither the process nor a program that it starts can have
// more again. If the process lacks one of the three, nothing changes, and the error
// names it.
func Restrict() error {
	now := cap.GetProc()
	if missing := without(now, needed()); len(missing) > 0 {
		return fmt.Errorf("missing %s: the agent needs %s, as root or as capabilities of its file; it runs as uid %d%s (docs/privileges.md)",
			names(missing), names(needed()), os.Getuid(), restricted())
	}
	if err := dropBounding(now); err != nil {
		return fmt.Errorf("empty the bounding set: %w", err)
	}
	if err := cap.ResetAmbient(); err != nil {
		return fmt.Errorf("empty the ambient set: %w", err)
	}
	if err := hold(needed(), needed()); err != nil {
		return fmt.Errorf("give up other capabilities than %s: %w", names(needed()), err)
	}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

// Settle drops the capabilities that a running agent does not need, and returns
// the names of those that it keeps. It asks the kernel itself: works tries all
// that the agent will do, first with the fewest capabilities. If none suffice,
// the error is that of works.
func Settle(works func() error) ([]string, error) {
	var err error
	for _, set := range enough() {
		if err = hold(needed(), set); err != nil {
			return nil, fmt.Errorf("try with %s alone: %w", names(set), err)
		}
		if err = works(); err != nil {
			continue
		}
		if err = hold(set, set); err != nil {
			return nil, fmt.Errorf("give up other capabilities than %s: %w", names(set), err)
		}
		return strings.Split(names(set), ", "), nil
	}
	return nil, err
}

// hold makes these the permitted and the effective capabilities of every
// thread; none is inheritable.
func hold(permitted, effective []cap.Value) error {
	set := cap.NewSet()
	if err := set.SetFlag(cap.Permitted, true, permitted...); err != nil {
		return err
	}
	if err := set.SetFlag(cap.Effective, true, effective...); err != nil {
		return err
	}
	return set.SetProc()
}

// dropBounding empties the bounding set if the process may. If it may not,
// no_new_privs makes that set useless.
func dropBounding(now *cap.Set) error {
	if len(without(now, []cap.Value{cap.SETPCAP})) > 0 {
		return nil
	}
	if err := now.SetFlag(cap.Effective, true, cap.SETPCAP); err != nil {
		return err
	}
	if err := now.SetProc(); err != nil {
		return err
	}
	for v := range cap.MaxBits() {
		if err := cap.DropBound(v); err != nil {
			return err
		}
	}
	return nil
}

// without returns those of wanted that are not permitted.
func without(set *cap.Set, wanted []cap.Value) (missing []cap.Value) {
	for _, v := range wanted {
		if on, err := set.GetFlag(cap.Permitted, v); err != nil || !on {
			missing = append(missing, v)
		}
	}
	return missing
}

func names(values []cap.Value) string {
	var all []string
	for _, v := range values {
		all = append(all, strings.ToUpper(v.String()))
	}
	return strings.Join(all, ", ")
}

// restricted says, for the error, why capabilities of the file may be missing.
func restricted() string {
	on, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil || on == 0 {
		return ""
	}
	return " with no_new_privs"
}
