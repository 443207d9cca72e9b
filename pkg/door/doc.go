// Package door is the agent's one HTTP server, and the limits of every port of the
// agent, so that no caller shuts out the others.
//
// Listen opens a TCP port, Guard puts a door before a listener, Serve answers
// through it. A door holds few connections, each of which is small. When the next
// one comes and all places are taken, the door closes the connection that makes the
// least use of its place.
package door
