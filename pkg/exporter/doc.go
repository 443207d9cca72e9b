// Package exporter shows Prometheus the node's stuck flows, and how far the agent
// can be trusted. It reads the store at scrape time and counts events as they are
// published. It keeps no finding of its own.
//
// No label is an address, an ephemeral port, a process or an id, so that the
// number of series does not grow with connections.
package exporter
