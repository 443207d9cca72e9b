package flow

import (
	"bytes"
	"encoding"
	"encoding/json"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// member is a field of a struct in its JSON form, by the field's tags. Beyond
// what encoding/json knows, zero:"null" makes the zero value null, since it
// means not known. A time is UTC to the millisecond, the zero one null. A
// duration is in seconds. A slice is never null.
type member struct {
	index     int
	name      string
	key       string // the name in quotes, and the colon
	null      bool   // the zero value is null
	omitempty bool
	write     func([]byte, reflect.Value) []byte
}

// membersOf returns the members of a struct type, in the order of its fields.
func membersOf(t reflect.Type) (all []member) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, tagged := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		all = append(all, member{
			index: i, name: name, key: `"` + name + `":`, null: field.Tag.Get("zero") == "null",
			omitempty: tagged && options == "omitempty", write: writerOf(field.Type),
		})
	}
	return all
}

// appender is a type with a JSON form of its own. Its method is called on an
// addressable value.
type appender interface{ AppendJSON([]byte) []byte }

// writerOf returns what appends a value of a type, which is addressable.
func writerOf(t reflect.Type) func([]byte, reflect.Value) []byte {
	switch t {
	case reflect.TypeFor[time.Time]():
		return func(b []byte, v reflect.Value) []byte { return appendTime(b, *v.Addr().Interface().(*time.Time)) }
	case reflect.TypeFor[time.Duration]():
		return func(b []byte, v reflect.Value) []byte { return appendSeconds(b, time.Duration(v.Int())) }
	case reflect.TypeFor[netip.AddrPort]():
		return appendEndpoint
	}
	switch pointer := reflect.PointerTo(t); {
	case pointer.Implements(reflect.TypeFor[appender]()):
		return func(b []byte, v reflect.Value) []byte { return v.Addr().Interface().(appender).AppendJSON(b) }
	case pointer.Implements(reflect.TypeFor[encoding.TextAppender]()):
		return func(b []byte, v reflect.Value) []byte {
			b, _ = v.Addr().Interface().(encoding.TextAppender).AppendText(append(b, '"')) // those of this package have no error
			return append(b, '"')
		}
	}
	switch t.Kind() {
	case reflect.String:
		return func(b []byte, v reflect.Value) []byte { return appendString(b, v.String()) }
	case reflect.Bool:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendBool(b, v.Bool()) }
	case reflect.Int:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendInt(b, v.Int(), 10) }
	case reflect.Uint32:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendUint(b, v.Uint(), 10) }
	case reflect.Float64:
		return func(b []byte, v reflect.Value) []byte { return appendThousandths(b, v.Float()) }
	case reflect.Pointer:
		return pointerWriter(t)
	case reflect.Slice:
		return sliceWriter(t)
	case reflect.Struct:
		members := membersOf(t)
		return func(b []byte, v reflect.Value) []byte { return appendObject(b, v, members) }
	}
	panic("no JSON form of " + t.String())
}

func pointerWriter(t reflect.Type) func([]byte, reflect.Value) []byte {
	write := writerOf(t.Elem())
	return func(b []byte, v reflect.Value) []byte {
		if v.IsNil() {
			return append(b, "null"...)
		}
		return write(b, v.Elem())
	}
}

func sliceWriter(t reflect.Type) func([]byte, reflect.Value) []byte {
	write := writerOf(t.Elem())
	return func(b []byte, v reflect.Value) []byte {
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = write(b, v.Index(i))
		}
		return append(b, ']')
	}
}

func appendObject(b []byte, v reflect.Value, all []member) []byte {
	return closeObject(appendMembers(append(b, '{'), v, all))
}

// appendMembers appends members, each with a comma behind it.
func appendMembers(b []byte, v reflect.Value, all []member) []byte {
	for i := range all {
		m := &all[i]
		field := v.Field(m.index)
		zero := (m.null || m.omitempty) && field.IsZero()
		if zero && m.omitempty {
			continue
		}
		b = append(b, m.key...)
		if zero {
			b = append(b, "null"...)
		} else {
			b = m.write(b, field)
		}
		b = append(b, ',')
	}
	return b
}

// closeObject ends an object, at the comma behind its last member.
func closeObject(b []byte) []byte { return append(bytes.TrimSuffix(b, []byte(",")), '}') }

// appendEndpoint appends the address, whose name is there, and the port.
func appendEndpoint(b []byte, v reflect.Value) []byte {
	a := v.Addr().Interface().(*netip.AddrPort)
	b = append(b, '"')
	if a.Addr().IsValid() {
		b = a.Addr().AppendTo(b)
	}
	b = append(b, `","port":`...)
	return strconv.AppendUint(b, uint64(a.Port()), 10)
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().Round(time.Millisecond).AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

func appendSeconds(b []byte, d time.Duration) []byte { return appendThousandths(b, d.Seconds()) }

func appendThousandths(b []byte, x float64) []byte {
	return strconv.AppendFloat(b, float64(int64(x*1000+0.5))/1000, 'f', -1, 64)
}

func appendString(b []byte, s string) []byte {
	if !plain(s) {
		escaped, _ := json.Marshal(s) // a string has no error
		return append(b, escaped...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// plain reports whether encoding/json escapes nothing in a string.
func plain(s string) bool {
	for i := range len(s) {
		if !simple[s[i]] {
			return plainRunes(s[i:])
		}
	}
	return true
}

// simple are the bytes that are characters by themselves and never escaped.
var simple = func() (is [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return is
}()

func plainRunes(s string) bool {
	for _, r := range s {
		switch {
		case r < ' ':
			return false
		case r == '"', r == '\\', r == '<', r == '>', r == '&':
			return false
		case r == '\u2028', r == '\u2029', r == utf8.RuneError:
			return false
		}
	}
	return true
}
