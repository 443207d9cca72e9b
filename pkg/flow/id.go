package flow

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ID is a socket cookie: unique on a node until it boots.
type ID uint64

// String returns the flow id as users see it: lower-case hexadecimal.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 16) }

// BeginsWith reports whether the id, as String prints it, begins with a prefix
// in lower case.
func (id ID) BeginsWith(prefix string) bool {
	var digits [16]byte
	return strings.HasPrefix(string(strconv.AppendUint(digits[:0], uint64(id), 16)), prefix)
}

// ParseID reads a flow id as String prints it.
func ParseID(s string) (ID, error) {
	if s == "" {
		return 0, errors.New(`flow id "" is empty`)
	}
	n, err := strconv.ParseUint(s, 16, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("flow id %q is too long: an id has 16 hexadecimal digits at most", s)
	}
	if err != nil {
		return 0, fmt.Errorf("flow id %q is not a hexadecimal number", s)
	}
	return ID(n), nil
}

// AppendText appends what String returns.
func (id ID) AppendText(b []byte) ([]byte, error) { return strconv.AppendUint(b, uint64(id), 16), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}
