package cli

import (
	"regexp"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// New returns a program with --help and --version.
func New(name, version, help string) *kingpin.Application {
	app := kingpin.New(name, help).Version(name + " " + version)
	app.HelpFlag.Short('h')
	return app
}

// Environment lets the environment set every flag of the program and of its commands,
// under the name that Envar returns. An error about a value names the variable. It is
// called once, after the last flag was added.
func Environment(app *kingpin.Application) {
	bind := func(flags []*kingpin.FlagModel, get func(string) *kingpin.FlagClause) {
		for _, f := range flags {
			if !informs(f.Name) {
				flag := get(f.Name)
				flag.Envar(Envar(f.Name))
				flag.SetValue(name(f.Value, f.Name))
			}
		}
	}
	model := app.Model()
	bind(model.Flags, app.GetFlag)
	for _, c := range model.Commands {
		bind(c.Flags, app.GetCommand(c.Name).GetFlag)
	}
}

// informs reports whether a flag makes a program print something and exit. A variable
// for it that happened to be set would stop the program from working.
func informs(flag string) bool {
	return flag == "version" || strings.HasPrefix(flag, "help") || strings.HasPrefix(flag, "completion-")
}

// Envar returns the environment variable of a flag: TCPSTUCK_ and its name in capitals,
// with an underscore for every character that is no letter or digit.
func Envar(flag string) string {
	return "TCPSTUCK_" + regexp.MustCompile(`[^A-Z0-9]`).ReplaceAllString(strings.ToUpper(flag), "_")
}
