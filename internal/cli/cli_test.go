package cli_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/cli"
)

func TestEnvar(t *testing.T) {
	for flag, want := range map[string]string{
		"socket": "TCPSTUCK_SOCKET", "web.listen-address": "TCPSTUCK_WEB_LISTEN_ADDRESS", "sweep-cpu": "TCPSTUCK_SWEEP_CPU",
	} {
		if got := cli.Envar(flag); got != want {
			t.Errorf("%s: %s, want %s", flag, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		socket string
		all    bool
	}{
		"environment":                {[]string{"dump"}, "/from/env", true},
		"the command line is closer": {[]string{"dump", "--socket", "/from/args", "--no-all"}, "/from/args", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TCPSTUCK_SOCKET", "/from/env")
			t.Setenv("TCPSTUCK_ALL", "true")
			t.Setenv("TCPSTUCK_VERSION", "3") // as a manifest may set it
			t.Setenv("TCPSTUCK_HELP", "please")
			app := cli.New("tcpstuck-x", "v1", "help")
			socket := app.Flag("socket", "").Default("/default").String()
			all := app.Command("dump", "").Flag("all", "").Bool()
			cli.Environment(app)
			command, err := app.Parse(c.args)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{"dump", c.socket, c.all}, []any{command, *socket, *all}); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestWrongValuesNameTheirFlag(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"duration":       {[]string{"--after=soon"}, nil, `--after=soon: time: invalid duration "soon"`},
		"number":         {[]string{"--share", "much"}, nil, `--share=much: invalid syntax`},
		"a part":         {[]string{"--count=1.9"}, nil, `--count=1.9: invalid syntax`},
		"an exponent":    {[]string{"--count=1e3"}, nil, `--count=1e3: invalid syntax`},
		"not a number":   {[]string{"--count=NaN"}, nil, `--count=NaN: invalid syntax`},
		"beyond an int":  {[]string{"--count=99999999999999999999"}, nil, `--count=99999999999999999999: value out of range`},
		"another part":   {[]string{"--bytes=1.9"}, nil, `--bytes=1.9: invalid syntax`},
		"word":           {[]string{"--level=loud"}, nil, `--level=loud: enum value must be one of info,warn, got 'loud'`},
		"by environment": {nil, map[string]string{"TCPSTUCK_AFTER": "1"}, `--after=1 (TCPSTUCK_AFTER): time: missing unit in duration "1"`},
		"a switch":       {nil, map[string]string{"TCPSTUCK_ALL": "maybe"}, `--all=maybe (TCPSTUCK_ALL): invalid syntax`},
		"none":           {[]string{"--after=1s", "--share=0.5", "--count=7", "--bytes=8", "--level=warn", "--all", "--list=a", "--list=b"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			app := cli.New("tcpstuck-x", "v1", "help")
			app.Flag("after", "").Default("2s").Duration()
			app.Flag("share", "").Float64()
			count, bytes := app.Flag("count", "").Default("1").Int(), app.Flag("bytes", "").Uint32()
			app.Flag("level", "").Default("info").Enum("info", "warn")
			all := app.Flag("all", "").Bool()
			list := app.Flag("list", "").Strings()
			cli.Environment(app)
			_, err := app.Parse(c.args)
			if c.want == "" {
				if err != nil || !*all || len(*list) != 2 || *count != 7 || *bytes != 8 {
					t.Errorf("%v, all %t, list %v, count %d, bytes %d", err, *all, *list, *count, *bytes)
				}
				return
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestLine(t *testing.T) {
	for err, want := range map[error]string{
		errors.New("one"): "one",
		errors.Join(errors.New("one"), errors.New("two")):             "one; two",
		errors.New("yaml: unmarshal errors:\n  line 1: no\n  line 2"): "yaml: unmarshal errors: line 1: no; line 2",
	} {
		if got := cli.Line(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
