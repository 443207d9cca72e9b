package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// named is a flag's value whose errors name the flag: those of kingpin and of the
// standard library do not.
type named struct {
	kingpin.Value
	flag string
}

func (v named) Set(s string) error {
	err := v.set(s)
	if err == nil {
		return nil
	}
	var number *strconv.NumError
	if errors.As(err, &number) {
		err = number.Err // without the name of a Go function
	}
	source := ""
	if os.Getenv(Envar(v.flag)) == s && s != "" {
		source = fmt.Sprintf(" (%s)", Envar(v.flag))
	}
	return fmt.Errorf("--%s=%s%s: %w", v.flag, s, source, err)
}

// set takes only whole numbers if an int is wanted: kingpin reads those as floating
// point, and cuts 1.9 to 1.
func (v named) set(s string) error {
	if getter, ok := v.Value.(kingpin.Getter); ok {
		if _, whole := getter.Get().(int); whole {
			if _, err := strconv.Atoi(s); err != nil {
				return err
			}
		}
	}
	return v.Value.Set(s)
}

// namedSwitch is a named value that kingpin knows for a switch.
type namedSwitch struct{ named }

func (namedSwitch) IsBoolFlag() bool { return true }

// name gives a flag's value its name. Values that are collected take any text.
func name(value kingpin.Value, flag string) kingpin.Value {
	if gathered, ok := value.(interface{ IsCumulative() bool }); ok && gathered.IsCumulative() {
		return value
	}
	v := named{value, flag}
	if s, ok := value.(interface{ IsBoolFlag() bool }); ok && s.IsBoolFlag() {
		return namedSwitch{v}
	}
	return v
}

// Line returns the text of an error on one line: several errors together, and errors of
// some libraries, have more.
func Line(err error) string {
	text := strings.ReplaceAll(err.Error(), ":\n", ": ")
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(strings.Fields(strings.Join(lines, "; ")), " ")
}
