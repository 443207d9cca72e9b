package flow

import (
	"encoding"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/jsonscan"
)

// form is how a struct is read from JSON, by the tags of its fields.
type form struct {
	parts []part // in the order in which they are written
	named map[string]int
}

// part is a member, or one of several that make a field.
type part struct {
	key   string // the name in quotes, and the colon
	index int    // of the field
	read  reader
}

// reader reads a value into an addressable place. That holds the zero value, and
// null leaves it so.
type reader func(*jsonscan.Text, reflect.Value)

func formOf(t reflect.Type) form {
	f := form{named: map[string]int{}}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		switch typ := t.Field(i).Type; typ {
		case reflect.TypeFor[netip.AddrPort](): // see appendEndpoint
			f.add(name, i, readAddress)
			f.add("port", i, readPort)
		case reflect.TypeFor[GivesUp]():
			f.addGivesUp(i)
		default:
			f.add(name, i, readerOf(typ))
		}
	}
	return f
}

func (f *form) add(name string, index int, read reader) {
	f.named[name] = len(f.parts)
	f.parts = append(f.parts, part{`"` + name + `":`, index, read})
}

// read reads an object. A member without a part is for other, which may be nil. If
// other does not take it, read passes over it.
func (f *form) read(t *jsonscan.Text, v reflect.Value, other func(name []byte) bool) {
	next := 0 // the part that is written after the latest one
	t.Open('{')
	for {
		switch {
		case next < len(f.parts) && t.Member(f.parts[next].key):
		case !t.More('}'):
			return
		default:
			name := t.Name()
			n, known := f.named[string(name)]
			if !known {
				if other == nil || !other(name) {
					t.Skip()
				}
				continue
			}
			next = n
		}
		p := &f.parts[next]
		next++
		if !t.Null() {
			p.read(t, v.Field(p.index))
		}
	}
}

// jsonReader is a type that reads its own JSON form.
type jsonReader interface{ ReadJSON(*jsonscan.Text) }

// readerOf returns what reads a value of a type.
func readerOf(t reflect.Type) reader {
	switch t {
	case reflect.TypeFor[time.Time]():
		return func(t *jsonscan.Text, v reflect.Value) { unmarshal(t, t.Bytes(), v.Addr().Interface().(*time.Time)) }
	case reflect.TypeFor[time.Duration]():
		return readSeconds
	}
	switch pointer := reflect.PointerTo(t); {
	case pointer.Implements(reflect.TypeFor[jsonReader]()):
		return func(t *jsonscan.Text, v reflect.Value) { v.Addr().Interface().(jsonReader).ReadJSON(t) }
	case pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return func(t *jsonscan.Text, v reflect.Value) {
			unmarshal(t, t.Bytes(), v.Addr().Interface().(encoding.TextUnmarshaler))
		}
	}
	switch t.Kind() {
	case reflect.String:
		return func(t *jsonscan.Text, v reflect.Value) { v.SetString(t.String()) }
	case reflect.Bool:
		return func(t *jsonscan.Text, v reflect.Value) { v.SetBool(t.Bool()) }
	case reflect.Int:
		return func(t *jsonscan.Text, v reflect.Value) { v.SetInt(number(t, parseInt)) }
	case reflect.Uint32:
		return func(t *jsonscan.Text, v reflect.Value) { v.SetUint(number(t, parseUint32)) }
	case reflect.Float64:
		return func(t *jsonscan.Text, v reflect.Value) { v.SetFloat(number(t, parseFloat)) }
	case reflect.Pointer:
		return pointerReader(t)
	case reflect.Slice:
		return sliceReader(t)
	case reflect.Struct:
		f := formOf(t)
		return func(t *jsonscan.Text, v reflect.Value) { f.read(t, v, nil) }
	}
	panic("no JSON form of " + t.String())
}

func pointerReader(t reflect.Type) reader {
	read := readerOf(t.Elem())
	return func(text *jsonscan.Text, v reflect.Value) {
		v.Set(reflect.New(t.Elem()))
		read(text, v.Elem())
	}
}

func sliceReader(t reflect.Type) reader {
	read := readerOf(t.Elem())
	return func(text *jsonscan.Text, v reflect.Value) {
		text.Open('[')
		for text.More(']') {
			n := v.Len()
			v.Grow(1)
			v.SetLen(n + 1)
			v.Index(n).SetZero()
			if !text.Null() {
				read(text, v.Index(n))
			}
		}
	}
}

// unmarshal gives a value its text, unless that could not be read.
func unmarshal(t *jsonscan.Text, text []byte, into encoding.TextUnmarshaler) {
	if t.Err() != nil {
		return
	}
	t.Fail(into.UnmarshalText(text))
}

func number[T any](t *jsonscan.Text, parse func(string) (T, error)) (n T) {
	text := t.Number()
	if t.Err() != nil {
		return n
	}
	n, err := parse(string(text))
	t.Fail(err)
	return n
}

func parseInt(s string) (int64, error)     { return strconv.ParseInt(s, 10, strconv.IntSize) }
func parseUint32(s string) (uint64, error) { return strconv.ParseUint(s, 10, 32) }
func parseUint16(s string) (uint64, error) { return strconv.ParseUint(s, 10, 16) }
func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

func readSeconds(t *jsonscan.Text, v reflect.Value) {
	v.SetInt(int64(time.Duration(number(t, parseFloat) * float64(time.Second)).Round(time.Microsecond)))
}

func readAddress(t *jsonscan.Text, v reflect.Value) {
	a := v.Addr().Interface().(*netip.AddrPort)
	var addr netip.Addr
	unmarshal(t, t.Bytes(), &addr)
	*a = netip.AddrPortFrom(addr, a.Port())
}

func readPort(t *jsonscan.Text, v reflect.Value) {
	a := v.Addr().Interface().(*netip.AddrPort)
	*a = netip.AddrPortFrom(a.Addr(), uint16(number(t, parseUint16)))
}
