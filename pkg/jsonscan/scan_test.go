package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tcpstuck/tcpstuck/pkg/jsonscan"
)

var seeds = []string{
	`{"a":[1,-2.5e+3,0.1,true,false,null,"b"],"c":{},"d":[]}`, ` { "a" : [ ] } `, `"\u00e9\n\"→ <&>\ud800"`, "\"\xff\"", `""`,
	`0`, `-`, `01`, `1.`, `1e`, `.5`, `+1`, `tru`, `nulls`, `[1,]`, `[,1]`, `{"a":1,}`, `{"a"}`, `{a:1}`, `{"a":1]`, `[1}`, `[1 2]`,
	`"\x"`, `"\u12g4"`, "\"\n\"", `"`, `"\`, `"\u1`, ``, ` `, `{`, `[`, `]`, `,`, `:`, `{"":{"":{"":[[[]]]}}}`,
}

// FuzzText: a text is read if encoding/json takes it, and only then; it is indented as
// there, and its strings are the same.
func FuzzText(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := jsonscan.Of([]byte(s + " ")) // a number needs an end
		got := text.AppendIndented(nil, 2)
		text.Open('!') // fails: with ErrShort only where nothing but white space is left
		valid := errors.Is(text.Err(), jsonscan.ErrShort) && isWhole(s)
		if valid != json.Valid([]byte(s)) {
			t.Fatalf("%q: %v", s, text.Err())
		}
		if !valid {
			return
		}
		var want bytes.Buffer
		if err := json.Indent(&want, []byte(strings.TrimSpace(s)), "    ", "  "); err != nil || want.String() != string(got) {
			t.Errorf("%q, want %q, %v", got, want.String(), err)
		}
		var str string
		if json.Unmarshal([]byte(s), &str) == nil && s != "null" && strings.HasPrefix(strings.TrimSpace(s), `"`) {
			if got := jsonscan.Of([]byte(s)).String(); got != str {
				t.Errorf("%q, want %q", got, str)
			}
		}
	})
}

// TestEachByteInEachPlace: a string is read in words of eight bytes, and the place of
// a byte in its word makes no difference.
func TestEachByteInEachPlace(t *testing.T) {
	for c := range 256 {
		for place := range 17 {
			s := `"` + strings.Repeat("é", 4) + strings.Repeat("a", place) + string([]byte{byte(c)}) + strings.Repeat("z", 9) + `"`
			var want string
			valid := json.Unmarshal([]byte(s), &want) == nil
			text := jsonscan.Of([]byte(s + "########"))
			got := text.String()
			if c == '"' {
				want, _, valid = strings.Cut(s[1:], `"`) // the rest is no part of it
			}
			if (text.Err() == nil) != valid || valid && got != want {
				t.Errorf("%q: %q, want %q, %v", s, got, want, text.Err())
			}
		}
	}
}

// TestMember: the member that is expected is read, and any other is left as it is.
func TestMember(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{`{"a":1,"b":2}`, true}, {`{"b":2}`, true}, {`{"a":1, "b":2}`, false}, {`{"a":1,"b" :2}`, false}, {`{"a":1,"bb":2}`, false},
		{`{"a":1"b":2}`, false}, {`{"a":1;"b":2}`, false}, {`{"a":1,"b`, false}, {`{"a":1`, false}, {`{`, false}, {`{,"b":2}`, false},
	} {
		text := jsonscan.Of([]byte(c.text))
		text.Open('{')
		if text.Member(`"a":`) {
			_ = text.Number()
		}
		if got := text.Member(`"b":`); got != c.want || got && string(text.Number()) != "2" {
			t.Errorf("%s: %v, %v", c.text, got, text.Err())
		}
	}
}

// isWhole reports whether a value can be read.
func isWhole(s string) bool {
	text := jsonscan.Of([]byte(s + " "))
	text.Skip()
	return text.Err() == nil
}

// What comes in pieces is read as what comes at once, and what ends too early is an
// error, wherever it ends.
func TestAStreamInPieces(t *testing.T) {
	const text = `{"a":"b","long":"` + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" + `","n":[12345,67]}`
	read := func(r io.Reader) (out string, err error) {
		err = jsonscan.NewStream(r, 4).Next(func(t *jsonscan.Text) { out = string(t.Raw()) })
		return out, err
	}
	if got, err := read(iotest.OneByteReader(strings.NewReader(text))); err != nil || got != text {
		t.Errorf("%s %v", got, err)
	}
	if got, err := read(iotest.OneByteReader(strings.NewReader("12345 "))); err != nil || got != "12345" {
		t.Errorf("a number alone: %s %v", got, err)
	}
	for n := range text {
		if _, err := read(strings.NewReader(text[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	if _, err := read(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(text)))); !errors.Is(err, iotest.ErrTimeout) {
		t.Error(err)
	}
}

// A long value must not be read anew with each piece of it that comes.
func TestALongValueIsReadAFewTimes(t *testing.T) {
	value := `"` + strings.Repeat("x", 1<<20) + `"`
	times := 0
	err := jsonscan.NewStream(iotest.HalfReader(strings.NewReader(value)), 64).Next(func(t *jsonscan.Text) {
		times++
		t.Skip()
	})
	if err != nil || times > 30 {
		t.Errorf("read %d times, %v", times, err)
	}
}

func TestWhatIsNestedTooDeeplyIsRefused(t *testing.T) {
	for depth, want := range map[int]bool{10_000: true, 10_001: false} {
		text := jsonscan.Of([]byte(strings.Repeat("[", depth) + strings.Repeat("]", depth)))
		text.Skip()
		if got := text.Err() == nil; got != want {
			t.Errorf("%d deep: %v", depth, text.Err())
		}
	}
}

// Equal short strings of a stream share their memory.
func TestNamesAreShared(t *testing.T) {
	text := jsonscan.Of([]byte(`["default/client", "default/client"]`))
	text.Share()
	read := func() {
		text.Open('[')
		for text.More(']') {
			_ = text.String()
		}
	}
	read()
	if text.Err() != nil {
		t.Fatal(text.Err())
	}
	s := jsonscan.NewStream(strings.NewReader(strings.Repeat(`"default/client" `, 1000)), 1<<16)
	if n := testing.AllocsPerRun(500, func() { _ = s.Next(func(t *jsonscan.Text) { _ = t.String() }) }); n > 0 {
		t.Errorf("%v allocations for a name that was there before", n)
	}
}

// BenchmarkIndent compares with encoding/json.
func BenchmarkIndent(b *testing.B) {
	text := []byte(`{"a":[` + strings.Repeat(`{"name":"default/client","text":"nothing has been acknowledged for 12 s","n":1234,"none":null},`, 1000) + `{}]}`)
	b.Run("jsonscan", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		var out []byte
		for b.Loop() {
			out = jsonscan.Of(text).AppendIndented(out[:0], 2)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		var out bytes.Buffer
		for b.Loop() {
			out.Reset()
			if err := json.Indent(&out, text, "    ", "  "); err != nil {
				b.Fatal(err)
			}
		}
	})
}
