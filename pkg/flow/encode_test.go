package flow_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// TestWrittenAsTheTagsSay: findings, events and health of any content are written as the
// tags of their fields say, and each value as encoding/json writes it.
func TestWrittenAsTheTagsSay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var ev flow.Event
		var health flow.Health
		random(r, reflect.ValueOf(&ev).Elem())
		random(r, reflect.ValueOf(&health).Elem())
		for _, v := range []any{ev, health} {
			got, err := v.(json.Marshaler).MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(byTags(t, reflect.ValueOf(v)), string(got)); diff != "" {
				t.Fatalf("-by the tags +written\n%s", diff)
			}
		}
	}
}

// TestEachByteOfAString: it is escaped as encoding/json does it, whatever stands beside
// it.
func TestEachByteOfAString(t *testing.T) {
	for c := range 256 {
		for place := range 17 {
			f := flow.Finding{Sentence: "→" + strings.Repeat("a", place) + string([]byte{byte(c)}) + strings.Repeat("z", 9)}
			text := marshalled(t, f.Sentence)
			if got := string(f.AppendJSON(nil)); !strings.Contains(got, `"sentence":`+text+`,"advice"`) {
				t.Errorf("want %s in %s", text, got)
			}
		}
	}
}

// random fills a value: each part is zero now and then.
func random(r *rand.Rand, v reflect.Value) {
	if r.IntN(4) == 0 && v.Kind() != reflect.Struct {
		return
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = randomTime(r)
		return
	case *netip.AddrPort:
		*p = []netip.AddrPort{{}, netip.MustParseAddrPort("10.1.2.3:80"), netip.MustParseAddrPort("[fd00::1]:65535")}[r.IntN(3)]
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString([]string{"text", "<&>\"\\", "→ a · b", "\u2028\xff", "\n"}[r.IntN(5)])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(r.Int64N(1000))
	case reflect.Int64: // a duration
		v.SetInt(r.Int64N(1 << (r.IntN(60) + 1)))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> (64 - v.Type().Bits() + r.IntN(v.Type().Bits())))
	case reflect.Float64:
		v.SetFloat(r.Float64())
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		random(r, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			random(r, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			random(r, v.Field(i))
		}
	}
}

func randomTime(r *rand.Rand) time.Time {
	zone := time.FixedZone("", r.IntN(7200))
	at := time.Unix(r.Int64N(250_000_000_000)-60_000_000_000, 0).In(zone) // of the years 69 to 7990
	switch r.IntN(3) {
	case 0:
		return at
	case 1:
		return at.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
	}
	return at.Add(time.Duration(r.IntN(1e9)))
}

// byTags is the JSON of a value, by the tags.
func byTags(t *testing.T, v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return "null"
		}
		return marshalled(t, x.UTC().Round(time.Millisecond))
	case time.Duration:
		return marshalled(t, float64(int64(x.Seconds()*1000+0.5))/1000)
	case flow.ID:
		return marshalled(t, x.String())
	case flow.TCPState:
		return marshalled(t, x.String())
	}
	switch v.Kind() {
	case reflect.Float64:
		return marshalled(t, float64(int64(v.Float()*1000+0.5))/1000)
	case reflect.Pointer:
		if v.IsNil() {
			return "null"
		}
		return byTags(t, v.Elem())
	case reflect.Slice:
		var all []string
		for i := range v.Len() {
			all = append(all, byTags(t, v.Index(i)))
		}
		return "[" + strings.Join(all, ",") + "]"
	case reflect.Struct:
		return "{" + strings.Join(membersByTags(t, v), ",") + "}"
	}
	return marshalled(t, v.Interface())
}

func membersByTags(t *testing.T, v reflect.Value) (all []string) {
	f, isFinding := v.Interface().(flow.Finding)
	if isFinding {
		all = append(all, `"apiVersion":"`+flow.APIVersion+`"`)
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" || options == "omitempty" && v.Field(i).IsZero() {
			continue
		}
		if isFinding && name == "timeouts" {
			all = append(all, `"age_seconds":`+age(t, f))
		}
		if a, is := v.Field(i).Interface().(netip.AddrPort); is {
			address, _ := a.Addr().MarshalText()
			all = append(all, `"address":"`+string(address)+`"`, `"port":`+marshalled(t, a.Port()))
			continue
		}
		if g, is := v.Field(i).Interface().(flow.GivesUp); is {
			all = append(all, `"gives_up_at":`+byTags(t, reflect.ValueOf(g.At)), `"gives_up_by":`+byTags(t, reflect.ValueOf(g.Latest())), `"gives_up_never":`+marshalled(t, g.Never))
			continue
		}
		text := "null"
		if !v.Field(i).IsZero() || field.Tag.Get("zero") != "null" {
			text = byTags(t, v.Field(i))
		}
		all = append(all, `"`+name+`":`+text)
	}
	return all
}

func age(t *testing.T, f flow.Finding) string {
	if f.Since.IsZero() {
		return "null"
	}
	return byTags(t, reflect.ValueOf(f.Age()))
}

func marshalled(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
