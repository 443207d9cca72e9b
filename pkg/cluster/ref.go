package cluster

// ref identifies a pod over time: a name can be used again, a UID cannot. Only
// lists that a person wrote lack the UID. A ref without a name stands for no
// pod, and says only whose slices spoke.
type ref struct {
	Key
	UID string
}

func (r ref) named() bool { return r.Name != "" }

// String names a pod in evidence.
func (r ref) String() string {
	if r.UID == "" {
		return "pod " + r.Key.String()
	}
	return "pod " + r.Key.String() + " (uid " + r.UID + ")"
}

// compare orders refs, so that the same records give the same answer.
func (r ref) compare(q ref) int {
	for _, pair := range [][2]string{{r.Namespace, q.Namespace}, {r.Name, q.Name}, {r.UID, q.UID}} {
		if pair[0] != pair[1] {
			if pair[0] < pair[1] {
				return -1
			}
			return 1
		}
	}
	return 0
}
