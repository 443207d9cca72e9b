package cluster

import "github.com/tcpstuck/tcpstuck/reproducer/internal/namespace"

// Isolate makes a namespace drop every segment that reaches it, its own over loopback
// included.
func Isolate(ns *namespace.Namespace) error { return isolate(ns) }
