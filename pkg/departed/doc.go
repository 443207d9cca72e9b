// Package departed knows the backends that are gone and the connections that
// led to them. An idle socket that points at one would never be noticed
// otherwise: the kernel side is given these connections, and its next file scan
// finds them. What outlives its backend in the conntrack table is found here, too.
package departed
