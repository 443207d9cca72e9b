package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// cluster is the agent's file of cluster records: Services of one backend each,
// and the pods. Service n.m has the address 10.96.n.m and its backend 10.244.n.m.
type cluster struct {
	path    string
	present []backend
}

type backend struct{ block, host int }

func (b backend) service() string { return fmt.Sprintf("10.96.%d.%d", b.block, b.host) }
func (b backend) address() string { return fmt.Sprintf("10.244.%d.%d", b.block, b.host) }
func (b backend) name() string    { return fmt.Sprintf("server-%d-%d", b.block, b.host) }

// clientPod opens every connection.
const clientPod = "client"

type object = map[string]any

// write replaces the file in one step.
func (c *cluster) write(gone map[backend]bool) error {
	items := []object{
		node("node-a", "10.1.1.1"), node("node-b", "10.1.1.2"), pod(clientPod, "10.0.0.1", "node-a"),
	}
	for _, b := range c.present {
		items = append(items, service(b))
		if gone[b] {
			items = append(items, slice(b, nil))
			continue
		}
		items = append(items, slice(b, []object{{
			"addresses": []string{b.address()}, "nodeName": "node-b", "conditions": object{"ready": true, "serving": true, "terminating": false},
			"targetRef": object{"kind": "Pod", "namespace": "default", "name": b.name(), "uid": "uid-" + b.name()},
		}}), pod(b.name(), b.address(), "node-b"))
	}
	text, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		return err
	}
	draft := filepath.Join(filepath.Dir(c.path), "draft")
	if err := os.WriteFile(draft, text, 0o600); err != nil {
		return fmt.Errorf("write cluster state: %w", err)
	}
	return os.Rename(draft, c.path)
}

const longAgo = "2026-01-01T00:00:00Z"

func meta(name string) object {
	return object{"name": name, "namespace": "default", "uid": "uid-" + name, "creationTimestamp": longAgo}
}

func service(b backend) object {
	return object{
		"apiVersion": "v1", "kind": "Service", "metadata": meta(b.name()),
		"spec": object{"clusterIP": b.service(), "clusterIPs": []string{b.service()}, "ports": []object{{"port": port, "protocol": "TCP", "targetPort": port}}},
	}
}

func slice(b backend, endpoints []object) object {
	m := meta(b.name() + "-x2x8q")
	m["labels"] = object{"kubernetes.io/service-name": b.name()}
	return object{
		"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": m, "addressType": "IPv4",
		"ports": []object{{"name": "", "port": port, "protocol": "TCP"}}, "endpoints": endpoints,
	}
}

func pod(name, address, node string) object {
	return object{
		"apiVersion": "v1", "kind": "Pod", "metadata": meta(name), "spec": object{"nodeName": node},
		"status": object{
			"phase": "Running", "podIP": address, "podIPs": []object{{"ip": address}}, "startTime": longAgo,
			"conditions": []object{{"type": "Ready", "status": "True"}},
		},
	}
}

func node(name, address string) object {
	return object{
		"apiVersion": "v1", "kind": "Node", "metadata": object{"name": name, "creationTimestamp": longAgo},
		"status": object{
			"addresses":  []object{{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}},
			"conditions": []object{{"type": "Ready", "status": "True"}},
		},
	}
}
