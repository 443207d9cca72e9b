package scenario

// source returns the public reports that a story stands for; empty: it is a control, or a
// neighbour of such a story.
func source(name string) string {
	switch name {
	case "calico":
		return "calico#7983, calico#12117, kubernetes#124290"
	case "headless":
		return "linkerd2#13023"
	case "address-reuse", "idle-address-reuse":
		return "calico#4152"
	case "same-node-no-endpoints":
		return "calico#13570"
	case "syn-stale":
		return "kubernetes#104098"
	case "user-timeout":
		return "istio#38476"
	case "silent-sender", "silent-sender-l2":
		return "kubernetes#101607"
	case "node-down", "node-down-evicted", "node-back":
		return "kubernetes#118814, kubernetes#41916"
	case "vip-failover":
		return "keepalived#1076"
	case "path-mtu", "one-flight":
		return "tailscale#18565, pod-gateway#33"
	case "sidecar", "keepalive":
		return "istio#33466"
	case "local-filter", "syn-filtered":
		return "kubernetes#17359, kubernetes#83063"
	case "address-lost":
		return "keepalived#1076, vpc-cni#3375"
	case "policy-route":
		return "vpc-cni#3309"
	case "answers-dropped":
		return "openzro#196, firehol#208"
	case "syn-answers-dropped":
		return "vpc-cni#75, vpc-cni#231"
	case "handshake-lost":
		return "metallb#297, kubernetes#94861"
	case "accept-queue":
		return "microsandbox#745, gunicorn#2183"
	case "truncated-unread", "truncated-late-ping", "truncated-drain-timeout", "truncated-consumer":
		return "kubernetes#60140, spdystream#111"
	}
	return ""
}
