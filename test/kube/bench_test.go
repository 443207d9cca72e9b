package kube_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tcpstuck/tcpstuck/internal/progtest"
)

// BenchmarkCluster runs the whole agent against an API with so many endpoints,
// ten a slice: what it takes at most, what it keeps, how long the first list
// takes and what a change costs.
func BenchmarkCluster(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	for _, size := range []struct{ slices, peakMiB int }{{0, 40}, {1000, 60}, {10_000, 110}} {
		b.Run(fmt.Sprintf("endpoints=%d", size.slices*10), func(b *testing.B) {
			e := start(b)
			e.node(b, "node-a", "172.18.0.2")
			e.fill(b, size.slices)
			b.ResetTimer()
			for b.Loop() {
				e.measureAgent(b, size.slices, size.peakMiB)
			}
		})
	}
}

func (e *environment) measureAgent(b *testing.B, slices, peakMiB int) {
	dir := b.TempDir()
	agent := exec.Command(filepath.Join(bin, "tcpstuck-agent"), "--cluster=kubernetes", "--kubeconfig="+e.kubeconfig(b, "", nil),
		"--node-name=node-a", "--scope-netns=1", "--socket="+filepath.Join(dir, "socket"), "--web.listen-address=127.0.0.1:0", "--page-address=127.0.0.1:0")
	var log progtest.Output
	agent.Stderr = &log
	began := time.Now()
	if err := agent.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = agent.Process.Signal(syscall.SIGTERM)
		_ = agent.Wait()
	}()
	await(b, "the agent's first look", func() bool { return strings.Contains(log.String(), "msg=watching") })
	b.ReportMetric(time.Since(began).Seconds(), "s-to-sync")
	time.Sleep(15 * time.Second) // a garbage collection or two, and a file scan
	settled := status(b, agent.Process.Pid, "VmRSS")
	before := cpu(b, agent.Process.Pid)
	const changes = 1000
	if slices > 0 {
		e.change(b, slices, changes)
		time.Sleep(2 * time.Second)
		b.ReportMetric((cpu(b, agent.Process.Pid)-before).Seconds()*1000, "ms-CPU/1000-changes")
	}
	peak := status(b, agent.Process.Pid, "VmHWM")
	b.ReportMetric(peak, "MiB-peak")
	b.ReportMetric(settled, "MiB-settled")
	b.ReportMetric(0, "ns/op")
	if peak > float64(peakMiB) {
		b.Errorf("it took %.1f MiB at its peak, want at most %d", peak, peakMiB)
	}
	if up := strings.Contains(log.String(), "degraded"); up {
		b.Errorf("its log:\n%s", &log)
	}
}

// fill makes slices of ten endpoints each, one for each Service, as large as
// real ones are.
func (e *environment) fill(b *testing.B, slices int) {
	each(slices, func(n int) {
		s := bigSlice(n, 0)
		if _, err := e.admin.DiscoveryV1().EndpointSlices(namespace).Create(b.Context(), s, metav1.CreateOptions{}); err != nil {
			b.Error(err)
		}
	})
}

// change turns the readiness of an endpoint, of one slice after the other.
func (e *environment) change(b *testing.B, slices, changes int) {
	each(changes, func(n int) {
		s := bigSlice(n%slices, 1)
		if _, err := e.admin.DiscoveryV1().EndpointSlices(namespace).Update(b.Context(), s, metav1.UpdateOptions{}); err != nil {
			b.Error(err)
		}
	})
}

func each(n int, do func(int)) {
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for i := worker; i < n; i += 16 {
				do(i)
			}
		})
	}
	all.Wait()
}

func bigSlice(n, generation int) *discoveryv1.EndpointSlice {
	service := fmt.Sprintf("service-%05d", n)
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: service + "-x2x8q", Namespace: namespace,
			Labels: map[string]string{
				discoveryv1.LabelServiceName: service, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io",
				"app.kubernetes.io/name": service, "app.kubernetes.io/instance": service, "helm.sh/chart": service + "-1.2.3",
			},
			Annotations: map[string]string{"endpoints.kubernetes.io/last-change-trigger-time": "2026-03-01T14:02:00Z"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("http"), Protocol: new(corev1.ProtocolTCP), Port: new(int32(8000))}},
	}
	for i := range 10 {
		id := n*10 + i
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{fmt.Sprintf("10.%d.%d.%d", 1+id/65536, id/256%256, id%256)},
			Conditions: discoveryv1.EndpointConditions{Ready: new(i != 0 || generation == 0), Serving: new(true), Terminating: new(false)},
			NodeName:   new(fmt.Sprintf("node-%04d.eu-central-1.compute.internal", id%5000)), Zone: new("eu-central-1a"),
			TargetRef: &corev1.ObjectReference{
				Kind: "Pod", Namespace: namespace, Name: fmt.Sprintf("%s-6d4cf56db6-%05d", service, i),
				UID: types.UID(fmt.Sprintf("9f3b8a52-0c1e-4b2e-8f0a-%012d", id)),
			},
		})
	}
	return s
}

// status reads a size of a process, in MiB.
func status(b *testing.B, pid int, field string) float64 {
	text := must[[]byte](b)(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)))
	_, rest, _ := strings.Cut(string(text), field+":")
	kib := must[int](b)(strconv.Atoi(strings.Fields(rest)[0]))
	return float64(kib) / 1024
}

// cpu reads what a process has used, in user and system mode.
func cpu(b *testing.B, pid int) time.Duration {
	text := must[[]byte](b)(os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)))
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	ticks := must[int](b)(strconv.Atoi(fields[11])) + must[int](b)(strconv.Atoi(fields[12]))
	return time.Duration(ticks) * 10 * time.Millisecond
}
