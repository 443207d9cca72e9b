package flow

import "time"

// AuditSocket is one connection as an audit reads it: the settings in its
// Socket are what would end it if its peer vanished.
type AuditSocket struct {
	Socket
	// ReceiveTimeout and SendTimeout are SO_RCVTIMEO and SO_SNDTIMEO; 0: not
	// set. They bound calls that block in read and write, and nothing else.
	ReceiveTimeout, SendTimeout time.Duration
}
