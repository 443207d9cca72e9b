package flow

import (
	"slices"
	"strconv"
)

// TCPState is a TCP state by the kernel's numbers (include/net/tcp_states.h).
type TCPState uint8

// The TCP states.
const (
	Established TCPState = iota + 1
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Close
	CloseWait
	LastAck
	Listen
	Closing
)

var tcpStates = [...]string{
	Established: "ESTABLISHED", SynSent: "SYN_SENT", SynRecv: "SYN_RECV", FinWait1: "FIN_WAIT1",
	FinWait2: "FIN_WAIT2", TimeWait: "TIME_WAIT", Close: "CLOSE", CloseWait: "CLOSE_WAIT",
	LastAck: "LAST_ACK", Listen: "LISTEN", Closing: "CLOSING",
}

// String returns the state's name in RFC 9293's spelling with underscores.
func (s TCPState) String() string {
	if int(s) < len(tcpStates) && tcpStates[s] != "" {
		return tcpStates[s]
	}
	return "STATE_" + strconv.Itoa(int(s))
}

// AppendText appends what String returns.
func (s TCPState) AppendText(b []byte) ([]byte, error) { return append(b, s.String()...), nil }

// UnmarshalText reads what String returned; another text becomes the zero
// value.
func (s *TCPState) UnmarshalText(text []byte) error {
	*s = TCPState(max(0, slices.Index(tcpStates[:], string(text))))
	return nil
}
