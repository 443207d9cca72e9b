package owner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	uid    = "3fa1c2de-9b07-4c55-8e21-0a6b7c8d9e0f"
	uidBar = "3fa1c2de_9b07_4c55_8e21_0a6b7c8d9e0f"
	static = "5c0d9a1b2e3f4a5b6c7d8e9f00112233"
)

var (
	id    = strings.Repeat("0a1b2c3d", 8)
	outer = strings.Repeat("fe98dc76", 8)
)

var inPod = place{container: id, podUID: uid}

var cgroups = map[string]struct {
	file string
	want place
}{
	"v2 systemd containerd burstable": {
		"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidBar + ".slice/cri-containerd-" + id + ".scope\n", inPod,
	},
	"v2 systemd containerd guaranteed": {
		"0::/kubepods.slice/kubepods-pod" + uidBar + ".slice/cri-containerd-" + id + ".scope\n", inPod,
	},
	"v2 systemd cri-o besteffort": {
		"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uidBar + ".slice/crio-" + id + ".scope\n", inPod,
	},
	"v2 systemd cri-o with a container subgroup": {
		"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uidBar + ".slice/crio-" + id + ".scope/container\n", inPod,
	},
	"v2 systemd docker in kubernetes": {
		"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidBar + ".slice/docker-" + id + ".scope\n", inPod,
	},
	"v2 cgroupfs": {"0::/kubepods/besteffort/pod" + uid + "/" + id + "\n", inPod},
	"v2 cgroupfs guaranteed": {
		"0::/kubepods/pod" + uid + "/" + id + "\n", inPod,
	},
	"v2 cgroupfs, a cgroup root of its own": {
		"0::/machine/cluster-a/kubepods/burstable/pod" + uid + "/" + id + "\n", inPod,
	},
	"static pod, systemd": {
		"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + static + ".slice/cri-containerd-" + id + ".scope\n",
		place{container: id, podUID: static},
	},
	"static pod, cgroupfs": {
		"0::/kubepods/burstable/pod" + static + "/" + id + "\n", place{container: id, podUID: static},
	},
	"containerd, naming of one driver and layout of the other": {
		"0::/system.slice/containerd.service/kubepods-burstable-pod" + uidBar + ".slice:cri-containerd:" + id + "\n", inPod,
	},
	"v1 systemd": {
		"12:pids:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidBar + ".slice/cri-containerd-" + id + ".scope\n" +
			"3:cpu,cpuacct:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidBar + ".slice/cri-containerd-" + id + ".scope\n" +
			"1:name=systemd:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidBar + ".slice/cri-containerd-" + id + ".scope\n",
		inPod,
	},
	"v1 where one hierarchy alone tells": {
		"11:memory:/\n7:rdma:/\n4:pids:/kubepods/burstable/pod" + uid + "/" + id + "\n0::/system.slice/containerd.service\n", inPod,
	},
	"v1 where one hierarchy tells the pod only": {
		"5:cpu:/kubepods/burstable/pod" + uid + "\n4:pids:/kubepods/burstable/pod" + uid + "/" + id + "\n", inPod,
	},
	"v1 where the pod says more than a container": {
		"5:cpu:/docker/" + outer + "\n4:pids:/kubepods/burstable/pod" + uid + "\n", place{podUID: uid},
	},
	"docker, cgroupfs":         {"9:memory:/docker/" + id + "\n", place{container: id}},
	"docker, systemd":          {"0::/system.slice/docker-" + id + ".scope\n", place{container: id}},
	"podman":                   {"0::/machine.slice/libpod-" + id + ".scope/container\n", place{container: id}},
	"podman's pod is not ours": {"0::/machine.slice/machine-libpod_pod_" + outer + ".slice/libpod-" + id + ".scope\n", place{container: id}},
	"systemd in a container":   {"0::/system.slice/docker-" + id + ".scope/init.scope\n", place{container: id}},
	"kind: a node in a container": {
		"0::/system.slice/docker-" + outer + ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" +
			uidBar + ".slice/cri-containerd-" + id + ".scope\n", inPod,
	},
	"kind: the kubelet of the node": {
		"0::/docker/" + outer + "/kubelet.slice/kubelet.service\n", place{container: outer},
	},
	"kind in a pod": {
		"0::/kubepods/pod" + static + "/" + outer + "/docker/" + outer + "/kubelet/kubepods/burstable/pod" + uid + "/" + id + "\n", inPod,
	},
	"docker in a pod": {
		"0::/kubepods/burstable/pod" + uid + "/" + id + "/docker/" + outer + "\n", inPod,
	},
	"cgroup namespace, a sibling": {"0::/../../kubepods-burstable-pod" + uidBar + ".slice/cri-containerd-" + id + ".scope\n", inPod},
	"cgroup namespace, the sibling container": {
		"0::/../cri-containerd-" + id + ".scope\n", place{container: id},
	},
	"cgroup namespace, outside": {"0::/../..\n", place{}},
	"cgroup namespace, inside":  {"0::/\n", place{}},
	"dead and waited for":       {"0::/kubepods/besteffort/pod" + uid + "/" + id + " (deleted)\n", inPod},
	"conmon is not in it":       {"0::/kubepods.slice/kubepods-pod" + uidBar + ".slice/crio-conmon-" + id + ".scope\n", place{podUID: uid}},
	"host service":              {"0::/system.slice/sshd.service\n", place{}},
	"user session":              {"0::/user.slice/user-1000.slice/session-3.scope\n", place{}},
	"a slice that only looks like it": {
		"0::/podman.slice/pod" + uid[:35] + "/" + id[:63] + "\n", place{},
	},
	"upper case is nobody's id": {"0::/docker/" + strings.ToUpper(id) + "\n", place{}},
	"no newline at the end":     {"0::/docker/" + id, place{container: id}},
	"empty":                     {"", place{}},
	"not the format":            {"kubepods\n\n::\n", place{}},
}

func TestParseCgroup(t *testing.T) {
	for name, tc := range cgroups {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parseCgroup(tc.file), cmp.AllowUnexported(place{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func FuzzParseCgroup(f *testing.F) {
	for _, tc := range cgroups {
		f.Add(tc.file)
	}
	f.Fuzz(func(t *testing.T, file string) {
		p := parseCgroup(file)
		if p.container != "" && (len(p.container) != 64 || !isHex(p.container) || !strings.Contains(file, p.container)) {
			t.Errorf("container %q from %q", p.container, file)
		}
		if p.podUID != "" && !isUUID(p.podUID) && (len(p.podUID) != 32 || !isHex(p.podUID)) {
			t.Errorf("pod %q from %q", p.podUID, file)
		}
	})
}
