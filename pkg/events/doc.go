// Package events carries events to sinks, which may be slow: a file, and the
// Events of a cluster. Publishing never waits. What a sink cannot take is
// dropped and counted, and no owner's noise costs another owner its events.
package events
