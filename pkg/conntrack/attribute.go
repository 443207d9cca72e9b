package conntrack

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

const (
	kindMask = 1<<14 - 1 // NLA_TYPE_MASK: without the flags
	lastKind = 255       // netfilter has no kind beyond it
)

var errMalformed = errors.New("decode conntrack entry: malformed attribute")

// eachAttribute calls read with the attributes one after the other, without copies. It
// ends at an error.
func eachAttribute(b []byte, read func(kind uint16, data []byte) error) error {
	for len(b) > 0 {
		if len(b) < unix.SizeofNlAttr {
			return errMalformed
		}
		size, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])&kindMask
		if size < unix.SizeofNlAttr || size > len(b) || kind > lastKind {
			return errMalformed
		}
		if err := read(kind, b[unix.SizeofNlAttr:size]); err != nil {
			return err
		}
		b = b[min(aligned(size), len(b)):]
	}
	return nil
}

// number reads an attribute of so many bytes. Netfilter's are in network order.
func number(data []byte, size int) (n uint32, err error) {
	if len(data) != size {
		return 0, errMalformed
	}
	for _, b := range data {
		n = n<<8 | uint32(b)
	}
	return n, nil
}

// appendPort appends an attribute with a port.
func appendPort(b []byte, kind, port uint16) []byte {
	return appendAttribute(b, kind, byte(port>>8), byte(port))
}

func appendAttribute(b []byte, kind uint16, data ...byte) []byte {
	attribute := len(b)
	b = append(appendHeader(b, kind), data...)
	setLength(b[attribute:])
	return append(b, make([]byte, aligned(len(data))-len(data))...)
}

// appendHeader appends the header of an attribute whose length is not known yet.
func appendHeader(b []byte, kind uint16) []byte {
	b = binary.NativeEndian.AppendUint16(b, 0)
	return binary.NativeEndian.AppendUint16(b, kind)
}

// setLength ends the attribute that b begins with.
func setLength(b []byte) { binary.NativeEndian.PutUint16(b, uint16(len(b))) }

// aligned rounds a length up to netlink's unit.
func aligned(n int) int { return (n + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1) }
