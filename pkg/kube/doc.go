// Package kube brings Kubernetes objects into pkg/cluster: from the Kubernetes
// API, or from a file that kubectl wrote. It also writes Kubernetes Events.
//
//	API     watches Services, EndpointSlices and one node's pods, and reads
//	        other pods and Nodes by name when the state asks for them
//	File    reads a list, and follows the changes of the file
//	Events  writes Kubernetes Events, with the connection of an API
//
// Both sources share the conversions in objects.go.
package kube
