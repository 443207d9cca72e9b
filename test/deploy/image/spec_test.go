package image_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// daemonSet reads the agent's manifest.
func daemonSet(t *testing.T) corev1.PodSpec {
	t.Helper()
	content := must[[]byte](t)(os.ReadFile("../../../deploy/daemonset.yaml"))
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		if !strings.Contains(document, "kind: DaemonSet") {
			continue
		}
		var ds appsv1.DaemonSet
		if err := yaml.UnmarshalStrict([]byte(document), &ds); err != nil {
			t.Fatal(err)
		}
		return ds.Spec.Template.Spec
	}
	t.Fatal("no DaemonSet")
	return corev1.PodSpec{}
}

// runtimeSpec turns the agent's pod into what containerd asks of the runtime
// for it: capabilities in three sets and none ambient or inheritable, its own
// default seccomp profile, an emptyDir as a bind mount.
func runtimeSpec(pod corev1.PodSpec, args []string, emptyDir string) *specs.Spec {
	container := pod.Containers[0]
	var granted []string
	for _, c := range container.SecurityContext.Capabilities.Add {
		granted = append(granted, "CAP_"+string(c))
	}
	spec := &specs.Spec{
		Version: specs.Version,
		Root:    &specs.Root{Path: "rootfs", Readonly: *container.SecurityContext.ReadOnlyRootFilesystem},
		Process: &specs.Process{
			User:            specs.User{UID: uint32(*pod.SecurityContext.RunAsUser), GID: uint32(*pod.SecurityContext.RunAsGroup)},
			Args:            args,
			Env:             []string{"PATH=/usr/bin", "TCPSTUCK_NODE_NAME=node-a"},
			Cwd:             "/",
			NoNewPrivileges: !*container.SecurityContext.AllowPrivilegeEscalation,
			Capabilities:    &specs.LinuxCapabilities{Bounding: granted, Effective: granted, Permitted: granted},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Destination: container.VolumeMounts[0].MountPath, Type: "bind", Source: emptyDir, Options: []string{"rbind", "rprivate", "rw"}},
		},
		Linux: &specs.Linux{
			Namespaces:    []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.IPCNamespace}},
			Resources:     &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			MaskedPaths:   []string{"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
	if !pod.HostPID {
		spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace})
	}
	if !pod.HostNetwork {
		spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	}
	if pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault {
		spec.Linux.Seccomp = seccomp.DefaultProfile(spec)
	}
	return spec
}

// without takes a capability from a container.
func without(spec *specs.Spec, name string) {
	sets := spec.Process.Capabilities
	left := slices.DeleteFunc(slices.Clone(sets.Bounding), func(c string) bool { return c == name })
	sets.Bounding, sets.Effective, sets.Permitted = left, left, left
}
