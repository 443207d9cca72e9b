// Command tcpstuck asks the agent of this node which TCP connections are stuck, why,
// and what to do. As kubectl-tcpstuck it is a plugin of kubectl and asks the agents of
// a cluster.
package main
