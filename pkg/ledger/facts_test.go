package ledger

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tcpstuck/tcpstuck/pkg/diagnosis"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// leaves calls fn with the way to each value in a type: the fields of structs,
// also of those behind pointers.
func leaves(t reflect.Type, way []int, fn func(way []int)) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() != reflect.Struct, t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[netip.AddrPort](), t == reflect.TypeFor[netip.Addr]():
		fn(way)
		return
	}
	for n := range t.NumField() {
		leaves(t.Field(n).Type, append(way[:len(way):len(way)], n), fn)
	}
}

// follow follows a way, and makes what pointers on it point to.
func follow(v reflect.Value, way []int) (leaf reflect.Value, name string) {
	var names []string
	for _, n := range way {
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			v = v.Elem()
		}
		names = append(names, v.Type().Field(n).Name)
		v = v.Field(n)
	}
	return v, strings.Join(names, ".")
}

// fillFact puts something into a leaf of evidence.
func fillFact(t *testing.T, random *rand.Rand, name string, v reflect.Value) {
	t.Helper()
	switch at := v.Addr().Interface().(type) {
	case *netip.Addr:
		*at = addrPort(random).Addr()
	case *[]string:
		*at = []string{"shop/cart", "shop/basket"}
	case *[]netip.Addr:
		*at = []netip.Addr{addrPort(random).Addr()}
	case *error:
		*at = errors.New("no answer")
	case *[]flow.Drop:
		*at = []flow.Drop{{Reason: "NETFILTER_DROP", Place: "nft_do_chain", Count: 3}}
	default:
		if v.Kind() == reflect.String {
			v.SetString("web-1")
			return
		}
		fill(t, random, name, v)
	}
}

// same compares evidence; an empty list is none.
func same() cmp.Options {
	return cmp.Options{
		cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty(),
		cmp.Comparer(func(a, b error) bool { return a == b }), //nolint:errorlint // the very error
	}
}

// TestNoFactIsForgotten fills each field of evidence on its own: it comes back
// as it was, also beside a later reading. The reading has a test of its own,
// and the abort deadline follows from it.
func TestNoFactIsForgotten(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // repeatable cases
	filled := 0
	leaves(reflect.TypeFor[diagnosis.Evidence](), nil, func(way []int) {
		for range 2 {
			s := flow.Socket{ID: 7, At: time.Unix(1_800_000_000, 0), Local: addrPort(random), Remote: addrPort(random)}
			e := diagnosis.Evidence{Socket: s, Local: flow.Local{Addr: s.Local}, Peer: flow.Peer{Addr: s.Remote}}
			leaf, name := follow(reflect.ValueOf(&e).Elem(), way)
			switch first, _, _ := strings.Cut(name, "."); {
			case first == "Socket", first == "GivesUp", name == "Local.Addr", name == "Peer.Addr":
				return
			}
			fillFact(t, random, name, leaf)
			filled++
			entry := newEntry(s).Judge(e, diagnosis.Decision{})
			e.GivesUp = entry.givesUp()
			if diff := cmp.Diff(e, entry.Evidence(), same()); diff != "" {
				t.Errorf("%s: -want +got\n%s", name, diff)
			}
			later := s
			later.At = s.At.Add(time.Duration(random.Int64N(int64(time.Hour))))
			entry = entry.Read(later)
			e.Socket, e.GivesUp = later, entry.givesUp()
			if diff := cmp.Diff(e, entry.Evidence(), same()); diff != "" {
				t.Errorf("%s, read again: -want +got\n%s", name, diff)
			}
		}
	})
	if filled < 2*60 {
		t.Errorf("%d fields were filled, is this all of them?", filled/2)
	}
}

// TestNothingIsKnownOfANewFlow beside its reading.
func TestNothingIsKnownOfANewFlow(t *testing.T) {
	s := flow.Socket{ID: 7, At: start, Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("10.96.0.10:80")}
	e := newEntry(s)
	want := diagnosis.Evidence{Socket: s, Local: flow.Local{Addr: s.Local}, Peer: flow.Peer{Addr: s.Remote}, GivesUp: e.givesUp()}
	if diff := cmp.Diff(want, e.Evidence(), same()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestWhatIsJudgedIsOfTheLastReading: evidence may have been gathered on the
// reading before it.
func TestWhatIsJudgedIsOfTheLastReading(t *testing.T) {
	before := flow.Socket{ID: 7, At: start, Since: start}
	e := diagnosis.Evidence{Socket: before, Now: at(3), Conntrack: diagnosis.Conntrack{At: at(2), Missing: true}}
	later := before
	later.At = at(60)
	got := newEntry(before).Read(later).Judge(e, diagnosis.Decision{}).Evidence()
	if !got.Now.Equal(at(3)) || !got.Conntrack.At.Equal(at(2)) || !got.Socket.At.Equal(at(60)) {
		t.Errorf("of %v, conntrack asked at %v, read at %v", got.Now, got.Conntrack.At, got.Socket.At)
	}
}
