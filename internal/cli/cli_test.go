package cli_test

import (
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
