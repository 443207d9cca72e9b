// Package departed knows the backends that are gone and the connections that
// led to them. No timer shows an idle socket that points at such a backend. So
// the kernel side gets these connections, and its next file scan finds them. The
// package also finds conntrack entries that outlived their backend.
package departed
