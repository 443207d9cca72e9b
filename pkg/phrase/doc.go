// Package phrase is how tcpstuck writes times, durations, numbers and names.
// Every package that makes words uses it, so that a moment reads the same in a
// sentence, in a table and on the page. It is pure: the present is passed in.
//
// Times are UTC. A text names the zone once, with its first time (Zoned), and
// leaves it out afterwards (Time).
package phrase
