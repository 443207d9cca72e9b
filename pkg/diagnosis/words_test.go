package diagnosis_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestSentenceOfTheCalicoCase(t *testing.T) {
	want := "default/client-1 (Deployment client, echo[4711]) has had no acknowledgement from default/server:8000 since 12:00:01Z: " +
		"conntrack still sends this connection to 192.168.136.2:8000, the pod default/server-1, which was deleted at 12:00:00. " +
		"6 bytes are at risk; the kernel gives up at 12:15:40, in 15m38s."
	if got := diagnosis.Judge(new(calico())).Sentence; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSentenceOfAFlowThatIsOver(t *testing.T) {
	e := calico()
	e.Now, e.Ended = after(31.4), true
	want := "default/client-1 (Deployment client, echo[4711]) had no acknowledgement from default/server:8000 from 12:00:01Z on, for 30s. " +
		"The last verdict was: conntrack still sends this connection to 192.168.136.2:8000, the pod default/server-1, which was deleted at 12:00:00."
	if got := diagnosis.Judge(&e).Sentence; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAdviceFitsTheMoment(t *testing.T) {
	waits, idle, connecting := calico(), calico(), calico()
	waits.Service = &cluster.ServiceAddress{Namespace: "default", Name: "server"}
	idle.Socket.PacketsOut, idle.Socket.Pending, idle.Socket.Timeouts, idle.Socket.Retransmits = 0, flow.TimerNone, 0, 0
	connecting.Socket.State, connecting.Socket.SendWindow = flow.SynSent, 0
	if first := diagnosis.Judge(&waits).Advice[0].Now; !strings.HasPrefix(first, "First wait") {
		t.Errorf("the warning stands behind the command: %s", first)
	}
	if first := diagnosis.Judge(&idle).Advice[0].Now; strings.Contains(first, "conntrack -D") || !strings.Contains(first, "ss -K") {
		t.Errorf("an idle flow is not cured by its entry: %s", first)
	}
	v := diagnosis.Judge(&connecting)
	for _, a := range v.Advice {
		if strings.Contains(a.Now+a.ForGood, "reset") || strings.Contains(a.ForGood, "Keepalive") {
			t.Errorf("no advice for who connects: %+v", a)
		}
	}
	if kernel := v.Evidence[0].Answer; strings.Contains(kernel, "window") {
		t.Errorf("a window before the handshake: %s", kernel)
	}
}

func TestTheWayEndsAtTheNextHop(t *testing.T) {
	e := calico()
	e.Backend.State, e.Route = flow.BackendListed, &flow.Route{Type: "unicast", Interface: "eth0", Neighbour: "FAILED"}
	if got := diagnosis.Judge(&e).Sentence; !strings.Contains(got, "nor does the next hop") {
		t.Errorf("the next hop is not named: %s", got)
	}
	e.Route.Neighbour = "REACHABLE"
	if got := diagnosis.Judge(&e).Sentence; strings.Contains(got, "next hop") {
		t.Errorf("a next hop that answers: %s", got)
	}
	e.Route = &flow.Route{Err: "ENETUNREACH"}
	all := diagnosis.Judge(&e).Evidence
	if got := all[len(all)-1].Answer; got != "no route, ENETUNREACH" {
		t.Errorf("no route reads %q", got)
	}
}

func TestEvidenceCountsInPlainWords(t *testing.T) {
	e := calico()
	e.Socket.Unacknowledged = 1
	var answers []string
	for _, item := range diagnosis.Judge(&e).Evidence {
		answers = append(answers, item.Answer)
	}
	all := strings.Join(answers, "\n")
	for _, want := range []string{"1 byte unacknowledged, 0 unsent, 1 timeout,", "default/server, 1 ready endpoint"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

func TestOrphansAndSocketsWithoutAProcessDiffer(t *testing.T) {
	orphan, kernels := calico(), calico()
	orphan.Socket.Orphan, orphan.Socket.State, orphan.Local.PID = true, flow.FinWait1, 0
	kernels.Local = flow.Local{Addr: client}
	for _, c := range []struct{ sentence, says string }{
		{diagnosis.Judge(&orphan).Sentence, "default/client-1 (Deployment client), closed by its owner, has had no acknowledgement"},
		{diagnosis.Judge(&kernels).Sentence, "A socket at 192.168.75.2:43580 (no process of it is known: the kernel's own"},
	} {
		if !strings.HasPrefix(c.sentence, c.says) {
			t.Errorf("%q does not begin with %q", c.sentence, c.says)
		}
	}
}

func TestAdvice(t *testing.T) {
	all := func(e diagnosis.Evidence) string {
		var b strings.Builder
		for _, a := range diagnosis.Judge(&e).Advice {
			b.WriteString(a.Now + a.ForGood + "\n")
		}
		return b.String()
	}
	noEndpoints, asServer, bounded := calico(), calico(), calico()
	noEndpoints.Service = &cluster.ServiceAddress{Namespace: "default", Name: "server"}
	headless(&asServer)
	asServer.Role = flow.Server
	bounded.Socket.UserTimeout = 5 * time.Second
	unreachable := calico()
	unreachable.Backend.State = flow.BackendListed
	idle := calico()
	idle.Socket.PacketsOut, idle.Socket.Pending, idle.Socket.Timeouts, idle.Socket.Retransmits = 0, flow.TimerNone, 0, 0
	for name, c := range map[string]struct{ got, want string }{
		"the exact command":                    {all(calico()), "conntrack -D -f ipv4 -p tcp --orig-src 192.168.75.2 --orig-dst 10.96.0.10 --sport 43580 --dport 8000"},
		"a warning where it would not help":    {all(noEndpoints), "until default/server:8000 has a ready endpoint"},
		"a warning before kube-proxy synced":   {all(calico()), "Look again afterwards"},
		"the listener's option for a server":   {all(asServer), "on the listening socket"},
		"what is set is not advised":           {all(bounded), "TCP_USER_TIMEOUT is set to 5s"},
		"nothing is deleted of what may live":  {all(unreachable), "do not delete anything"},
		"an idle flow has nothing to time out": {all(idle), "Switch on keepalive"},
		"the command that ends one connection": {all(asServer), "nsenter -t 4711 -n ss -K src 192.168.75.2 sport = :43580 dst 192.168.136.2 dport = :8000"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("%s: no %q in\n%s", name, c.want, c.got)
		}
	}
	if strings.Contains(all(idle), "Set TCP_USER_TIMEOUT") {
		t.Error("a timeout that does not run on an idle flow")
	}
	if strings.Contains(all(unreachable), "conntrack -D") {
		t.Error("a cure for a flow whose backend lives")
	}
}

// TestEverySymptomIsExplained: internal/house looks for what each cause needs.
func TestEverySymptomIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/causes.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range flow.Symptoms() {
		if !strings.Contains(string(page), "\n| "+string(s)+" |") {
			t.Errorf("docs/causes.md does not say what %s is", s)
		}
	}
}
