package owner

import "strings"

// place is what a control group path says about where a process runs.
type place struct {
	container string // full id
	podUID    string
}

// parseCgroup reads /proc/PID/cgroup: lines of hierarchy:controllers:path
// (cgroups(7)). Version 1 has a line per hierarchy, and not every one names
// the container; the line that says most wins.
func parseCgroup(file string) place {
	var best place
	for line := range strings.Lines(file) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		if p := parsePath(fields[2]); p.tells() > best.tells() {
			best = p
		}
	}
	return best
}

func (p place) tells() int {
	n := 0
	if p.container != "" {
		n++
	}
	if p.podUID != "" {
		n += 2
	}
	return n
}

// parsePath reads a path from the root down. With clusters nested in containers, the
// innermost pod counts, and in it the outermost container: the cluster knows that
// one, and not what runs inside it. Outside a pod the innermost container counts.
func parsePath(path string) place {
	var p place
	// If containerd uses systemd's naming with the other driver, it joins
	// slice, prefix and id with colons into one element.
	isSeparator := func(r rune) bool { return r == '/' || r == ':' }
	for element := range strings.FieldsFuncSeq(strings.TrimSuffix(path, " (deleted)"), isSeparator) {
		if uid := podUID(element); uid != "" {
			p = place{podUID: uid}
			continue
		}
		if id := containerID(element); id != "" && (p.podUID == "" || p.container == "") {
			p.container = id
		}
	}
	return p
}

// podUID returns the pod's UID from a kubelet's control group name: podUID
// with the cgroupfs driver, kubepods-burstable-podUID.slice with systemd's,
// which has _ for the dashes of a UUID. The UID of a static pod is 32
// hexadecimal digits, a hash of its manifest.
func podUID(element string) string {
	name, isSlice := strings.CutSuffix(element, ".slice")
	if isSlice {
		name = name[strings.LastIndexByte(name, '-')+1:]
	}
	uid, ok := strings.CutPrefix(name, "pod")
	if !ok {
		return ""
	}
	if isSlice {
		uid = strings.ReplaceAll(uid, "_", "-")
	}
	if isUUID(uid) || len(uid) == 32 && isHex(uid) {
		return uid
	}
	return ""
}

// containerID returns the container's id from a runtime's control group name: the id
// alone with the cgroupfs driver, PREFIX-ID.scope with systemd's. The prefix is
// docker, cri-containerd, crio, libpod or another's. A conmon is the process that
// watches a container, not part of it.
func containerID(element string) string {
	name := strings.TrimSuffix(element, ".scope")
	dash := strings.LastIndexByte(name, '-')
	if prefix := name[:dash+1]; strings.HasSuffix(prefix, "conmon-") {
		return ""
	}
	if id := name[dash+1:]; len(id) == 64 && isHex(id) {
		return id
	}
	return ""
}

// isUUID reports whether s looks like 8-4-4-4-12 hexadecimal digits.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i : i+1]) {
				return false
			}
		}
	}
	return true
}

// isHex reports whether s has lower-case hexadecimal digits only.
func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
