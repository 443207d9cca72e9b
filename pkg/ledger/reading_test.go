package ledger

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestNoFieldOfAReadingIsForgotten fills each field of a socket on its own: it
// comes back as it was.
func TestNoFieldOfAReadingIsForgotten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable cases
	for n := range reflect.TypeFor[flow.Socket]().NumField() {
		name := reflect.TypeFor[flow.Socket]().Field(n).Name
		for range 20 {
			s := flow.Socket{At: time.Unix(1_800_000_000, 0), Local: addrPort(random), Remote: addrPort(random)}
			fill(t, random, name, reflect.ValueOf(&s).Elem().Field(n))
			r := pack(s)
			if diff := cmp.Diff(s, unpack(&r), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Fatalf("%s: -want +got\n%s", name, diff)
			}
		}
	}
}

// fill sets a field to what the kernel may say there.
func fill(t *testing.T, random *rand.Rand, name string, v reflect.Value) {
	t.Helper()
	switch at := v.Addr().Interface().(type) {
	case *time.Time:
		*at = time.Unix(1_800_000_000, random.Int64N(1e15)-5e14)
		return
	case *netip.AddrPort:
		*at = addrPort(random)
		return
	case *time.Duration:
		*at = time.Duration(random.Int64())
		return
	case *string:
		*at = "envoy"
		return
	case *bool:
		*at = true
		return
	}
	switch v.Kind() {
	case reflect.Int: // a u8, a small errno, or a count of segments or timeouts
		v.SetInt(1 + random.Int64N(255))
	case reflect.Int32:
		v.SetInt(1 + random.Int64N(1<<20))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1 + random.Uint64()>>(65-v.Type().Bits()))
	default:
		t.Fatalf("this test does not know what to put into %s, a %s", name, v.Kind())
	}
}

func addrPort(random *rand.Rand) netip.AddrPort {
	var ip [16]byte
	for n := range ip {
		ip[n] = byte(random.Uint32())
	}
	port := uint16(random.Uint32())
	switch random.IntN(3) {
	case 0:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[:4])), port)
	case 1:
		return netip.AddrPortFrom(netip.AddrFrom16(ip), port)
	}
	return netip.AddrPort{}
}

// TestAReadingIsSmall: there may be 100,000.
func TestAReadingIsSmall(t *testing.T) {
	if got, whole := unsafe.Sizeof(reading{}), unsafe.Sizeof(flow.Socket{}); got > 304 || got > whole*6/10 {
		t.Errorf("a reading takes %d bytes, a socket %d", got, whole)
	}
}
