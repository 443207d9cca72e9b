package cluster

import "net/netip"

// asker asks a source for the pods that it does not list.
type asker struct {
	source    *source
	pods      *pods
	questions *questions
}

const (
	askedPerAddress   = 16 // pods, for one look at an address
	askedPerNamespace = 2  // of those that its slices claim
)

// pod asks for a pod, unless the source lists it or it is known to be gone.
// The answer concerns an address.
func (a asker) pod(pod ref, node string, ip netip.Addr, urgent bool) {
	if !pod.named() || a.source.lists(node) || a.pods.status(pod).presence == podGone {
		return
	}
	a.questions.concern(pod, ip)
	a.questions.ask(Question{Namespace: pod.Namespace, Pod: pod.Name, UID: pod.UID, Node: node, Urgent: urgent})
}

// claimed asks for the pods for which slices claim an address. No namespace
// uses up the questions of another one.
func (a asker) claimed(ip netip.Addr, claims []*claim, urgent bool) {
	asked, total := make(map[string]int), 0
	for _, c := range claims {
		pod := c.pod()
		if total >= askedPerAddress || asked[pod.Namespace] >= askedPerNamespace || a.pods.status(pod).presence != podUnseen {
			continue
		}
		if !urgent && a.pods.had(pod, ip) {
			continue // its record was read before
		}
		asked[pod.Namespace]++
		total++
		a.pod(pod, c.node(), ip, urgent)
	}
}
