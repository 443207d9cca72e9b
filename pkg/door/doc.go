// Package door is the agent's one HTTP server, and the limits that every port of
// the agent has, so that no caller takes the agent from the others.
//
// Listen opens a TCP port, Guard puts a door before a listener, Serve answers
// through it. A door holds few connections, each of which is small. When the
// next one comes and all places are taken, the connection that makes the least
// of its place is closed.
package door
