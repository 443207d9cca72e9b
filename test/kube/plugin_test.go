package kube_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	remotecommandconsts "k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/tools/remotecommand"
	kubelet "k8s.io/kubelet/pkg/cri/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/api"
	"github.com/tcpstuck/tcpstuck/pkg/audit"
	"github.com/tcpstuck/tcpstuck/pkg/door"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// kubeletServer stands for a node's kubelet: it answers exec, in the API's
// own protocol, with the real program and the socket of an agent.
type kubeletServer struct {
	socket string          // of the agent; empty: it takes for ever
	over   <-chan struct{} // when the test ends
}

// ExecInContainer runs what is to be run in the agent's container.
func (k kubeletServer) ExecInContainer(ctx context.Context, _ string, _ types.UID, container string, command []string, _ io.Reader, stdout, stderr io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	if k.socket == "" {
		<-k.over // the request's context does not end: its connection is a stream by now
		return context.Canceled
	}
	if container != "agent" || command[0] != "tcpstuck" {
		return fmt.Errorf("exec: %q: executable file not found in $PATH", command[0])
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, command[0]), command[1:]...)
	cmd.Env = append(os.Environ(), "TCPSTUCK_SOCKET="+k.socket)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return err
}

func (k kubeletServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // exec, namespace, pod, container
	options, err := kubelet.NewOptions(r)
	if err != nil || len(path) != 4 || path[0] != "exec" {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	kubelet.ServeExec(w, r, k, path[2], "", path[3], r.URL.Query()["command"], options, time.Minute, 10*time.Second, remotecommandconsts.SupportedStreamingProtocols)
}

// worker makes a node with a kubelet at that address, and an agent's pod on
// it.
func (e *environment) worker(t *testing.T, name, kubelet string) {
	t.Helper()
	e.node(t, name, "127.0.0.1")
	host, port, err := net.SplitHostPort(kubelet)
	if err != nil || host != "127.0.0.1" {
		t.Fatal(kubelet, err)
	}
	nodes := e.admin.CoreV1().Nodes()
	n := must[*corev1.Node](t)(nodes.Get(t.Context(), name, metav1.GetOptions{}))
	n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(must[int](t)(strconv.Atoi(port)))
	must[*corev1.Node](t)(nodes.UpdateStatus(t.Context(), n, metav1.UpdateOptions{}))
	pods := e.admin.CoreV1().Pods("tcpstuck")
	p := must[*corev1.Pod](t)(pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "tcpstuck-agent-" + name, Labels: map[string]string{"app.kubernetes.io/name": "tcpstuck"}},
		Spec: corev1.PodSpec{NodeName: name, HostNetwork: true, Containers: []corev1.Container{
			{Name: "sidecar", Image: "localhost/other"}, {Name: "agent", Image: "localhost/tcpstuck"},
		}},
	}, metav1.CreateOptions{}))
	p.Status.Phase = corev1.PodRunning
	must[*corev1.Pod](t)(pods.UpdateStatus(t.Context(), p, metav1.UpdateOptions{}))
}

// kubeletOf runs a kubelet until the test ends, and returns its address.
func kubeletOf(t *testing.T, socket string) string {
	t.Helper()
	s := httptest.NewTLSServer(kubeletServer{socket, t.Context().Done()})
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return must[*url.URL](t)(url.Parse(s.URL)).Host
}

// agentSocket serves findings as the agent of a node does.
func agentSocket(t *testing.T, node string, live []flow.Finding) string {
	t.Helper()
	for n := range live {
		live[n].Node = node
	}
	path := filepath.Join(t.TempDir(), "agent.sock")
	l := must[net.Listener](t)(api.ListenUnix(t.Context(), path))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	log := slog.New(slog.DiscardHandler)
	h := api.Handler(api.Options{
		Reader: &flowtest.Reader{Live: live, Past: []flow.Finding{flowtest.Ended()}, Sources: flowtest.Health()}, Node: node, Started: time.Now(), Log: log,
		Audit: func() (audit.Report, error) { return flowtest.Audit(), nil },
	})
	go func() { ended <- door.Serve(ctx, l, h, log) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return path
}

// operator is whoever may run the plugin: docs/kubectl.md has this Role.
func (e *environment) operator(t *testing.T) string {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "tcpstuck-operator", Namespace: "tcpstuck"}
	ctx, opts := t.Context(), metav1.CreateOptions{}
	must[*rbacv1.Role](t)(e.admin.RbacV1().Roles("tcpstuck").Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
		{APIGroups: []string{""}, Resources: []string{"pods/exec"}, Verbs: []string{"create", "get"}},
	}}, opts))
	must[*corev1.ServiceAccount](t)(e.admin.CoreV1().ServiceAccounts("tcpstuck").Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, opts))
	must[*rbacv1.RoleBinding](t)(e.admin.RbacV1().RoleBindings("tcpstuck").Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "tcpstuck", Name: meta.Name}},
	}, opts))
	return e.kubeconfigOf(t, meta.Name, "", nil)
}

// kubectl runs the plugin.
func kubectl(t *testing.T, kubeconfig string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(filepath.Join(bin, "kubectl-tcpstuck"), append(args, "--kubeconfig", kubeconfig)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for line := range strings.Lines(errs.String()) { // a busy machine may be slow enough for progress to be told
		if slices.Contains(args, "--node-timeout=5s") || !strings.Contains(line, "have answered; waiting for") {
			stderr += line
		}
	}
	return cmd.ProcessState.ExitCode(), out.String(), stderr
}

// TestPlugin: four nodes, of which one is slow and one is dead.
func TestPlugin(t *testing.T) {
	e := start(t)
	operator := e.operator(t)
	if code, stdout, stderr := kubectl(t, operator, "dump"); code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "has no agents") {
		t.Errorf("without agents: %d %s %s", code, stdout, stderr)
	}
	e.worker(t, "node-a", kubeletOf(t, agentSocket(t, "node-a", flowtest.Findings())))
	e.worker(t, "node-b", kubeletOf(t, agentSocket(t, "node-b", flowtest.Crowd(3000, 10))))
	e.worker(t, "node-c", kubeletOf(t, agentSocket(t, "node-c", nil)))
	const living = "--nodes=node-a,node-b,node-c"

	t.Run("all answer", func(t *testing.T) {
		code, stdout, stderr := kubectl(t, operator, "dump", living)
		if code != 1 || stderr != "" || !strings.Contains(stdout, "3,001 flows of 11 workloads") || !strings.Contains(stdout, "3 nodes answered") {
			t.Errorf("%d %s %s", code, stdout, stderr)
		}
		if code, stdout, stderr := kubectl(t, operator, "dump", "--nodes=node-c"); code != 0 || stderr != "" || !strings.Contains(stdout, "No flow is stuck.") {
			t.Errorf("a quiet node: %d %s %s", code, stdout, stderr)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		code, stdout, stderr := kubectl(t, operator, "dump", living, "-o", "json")
		var list struct {
			Flows []flow.Finding
			Nodes []struct{ Node, Error string }
		}
		if err := json.Unmarshal([]byte(stdout), &list); err != nil || code != 1 || stderr != "" || len(list.Flows) != 3005 || len(list.Nodes) != 3 {
			t.Errorf("%d %v %s: %d flows of %v", code, err, stderr, len(list.Flows), list.Nodes)
		}
		code, stdout, _ = kubectl(t, operator, "dump", living, "-o", "jsonl")
		if lines := slices.Collect(strings.Lines(stdout)); code != 1 || len(lines) != 3005 || !json.Valid([]byte(lines[3004])) {
			t.Errorf("%d, %d lines", code, len(lines))
		}
	})
	t.Run("explain", func(t *testing.T) {
		if code, stdout, stderr := kubectl(t, operator, "explain", "1f3a", living); code != 0 || stderr != "" || !strings.Contains(stdout, "node node-a") || !strings.Contains(stdout, "conntrack -D") {
			t.Errorf("%d %s %s", code, stdout, stderr)
		}
		if code, _, stderr := kubectl(t, operator, "explain", "7777", living); code != 2 || !strings.Contains(stderr, "no node has a flow whose id begins with 7777") {
			t.Errorf("%d %s", code, stderr)
		}
	})
	t.Run("audit and ended", func(t *testing.T) {
		if code, stdout, stderr := kubectl(t, operator, "audit", living); code != 0 || stderr != "" || strings.Count(stdout, "8 of 10 connections") != 3 {
			t.Errorf("%d %s %s", code, stdout, stderr)
		}
		if code, stdout, stderr := kubectl(t, operator, "dump", "--ended", living); code != 0 || stderr != "" || !strings.Contains(stdout, "3 findings ended on 3 nodes") {
			t.Errorf("%d %s %s", code, stdout, stderr)
		}
	})

	dead := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	e.worker(t, "node-d", kubeletOf(t, ""))
	e.worker(t, "node-e", dead.Addr().String())
	dead.Close()
	t.Run("a slow and a dead node", func(t *testing.T) {
		code, stdout, stderr := kubectl(t, operator, "dump", "--node-timeout=5s")
		t.Logf("%s", stderr)
		if code != 2 || !strings.Contains(stdout, "3,001 flows of 11 workloads") || !strings.Contains(stdout, "3 of 5 nodes answered") {
			t.Errorf("%d %s", code, stdout)
		}
		for _, want := range []string{
			"4 of 5 nodes have answered; waiting for node-d", "1 of 5 nodes did not answer: node-d: no answer within 5s\n", "1 of 5 nodes did not answer: node-e: exec in pod tcpstuck-agent-node-e: the kubelet cannot be reached: dial tcp ", "connection refused",
		} {
			if !strings.Contains(stderr, want) {
				t.Errorf("stderr lacks %q", want)
			}
		}
	})
	t.Run("who may not exec", func(t *testing.T) {
		code, stdout, stderr := kubectl(t, e.kubeconfig(t, "", nil), "dump", living) // the agent may list pods
		if code != 2 || stdout != "" || strings.Count(stderr, "\n") > 3 || !strings.Contains(stderr, `cannot create resource "pods/exec"`) {
			t.Errorf("%d %s %s", code, stdout, stderr)
		}
	})
}
