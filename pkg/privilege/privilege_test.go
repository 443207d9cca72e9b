package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/tcpstuck/tcpstuck/internal/privileges"
	"github.com/tcpstuck/tcpstuck/internal/privtest"
)

// TestNeedsWhatIsListed: manifests and image are held to the same list.
func TestNeedsWhatIsListed(t *testing.T) {
	list, err := privileges.Read("../../deploy/privileges.txt")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, name := range list.Capabilities {
		listed = append(listed, "CAP_"+name)
	}
	now := strings.Split(names(needed()), ", ")
	slices.Sort(now)
	if diff := cmp.Diff(listed, now); diff != "" {
		t.Errorf("-listed +needed\n%s", diff)
	}
}

// Settling has no way back, so each case is a process of its own. This variable
// says what its kernel wants.
const childWants = "TCPSTUCK_TEST_WANTS"

func TestSettleKeepsTheLeastThatWorks(t *testing.T) {
	privtest.Require(t)
	for wants, says := range map[string]string{
		"":                              "kept CAP_NET_ADMIN, holds CAP_NET_ADMIN",
		"cap_bpf":                       "kept CAP_BPF, CAP_NET_ADMIN, holds CAP_BPF, CAP_NET_ADMIN",
		"cap_bpf cap_perfmon":           "kept CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, holds CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN",
		"cap_bpf cap_perfmon cap_chown": "cap_chown is not in effect",
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSettleInChild$")
		cmd.Env = append(os.Environ(), childWants+"="+wants+" cap_net_admin")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		said, _, _ := strings.Cut(string(out), "\n")
		if diff := cmp.Diff(says, said); diff != "" {
			t.Errorf("a kernel that wants %q: -want +got\n%s", wants, diff)
		}
	}
}

func TestSettleInChild(t *testing.T) {
	wants, ok := os.LookupEnv(childWants)
	if !ok {
		return // a part of TestSettleKeepsTheLeastThatWorks
	}
	if err := Restrict(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names(needed()), names(held(t))); diff != "" {
		t.Errorf("restricted: -want +got\n%s", diff)
	}
	kept, err := Settle(func() error { return inEffect(strings.Fields(wants)) })
	if err != nil {
		fmt.Println(err) // what the test waits for
		return
	}
	fmt.Printf("kept %s, holds %s\n", strings.Join(kept, ", "), names(held(t)))
}

// held returns the capabilities of the process, each of which must be in
// effect; in the order of needed, then others.
func held(t *testing.T) (all []cap.Value) {
	now := cap.GetProc()
	values := needed()
	for v := range cap.MaxBits() {
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	for _, v := range values {
		p, _ := now.GetFlag(cap.Permitted, v)
		e, _ := now.GetFlag(cap.Effective, v)
		i, _ := now.GetFlag(cap.Inheritable, v)
		if p != e || i {
			t.Errorf("%s: permitted %t, in effect %t, inheritable %t", v, p, e, i)
		}
		if p {
			all = append(all, v)
		}
	}
	return all
}

func inEffect(wants []string) error {
	var errs []error
	for _, name := range wants {
		v, err := cap.FromName(name)
		if err != nil {
			return err
		}
		if on, err := cap.GetProc().GetFlag(cap.Effective, v); err != nil || !on {
			errs = append(errs, fmt.Errorf("%s is not in effect", name))
		}
	}
	return errors.Join(errs...)
}
