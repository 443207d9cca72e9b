package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const patience = time.Minute

// run runs a program to its end and returns what it said and its exit code,
// with DIR for the folder; DIR in the environment is the folder, too.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, name), args...)
	cmd.Dir = dir
	for _, variable := range env {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(variable, "DIR", dir))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		t.Errorf("%s %v: %v\n%s", name, args, err, &out)
	}
	said := strings.ReplaceAll(out.String(), dir, "DIR")
	return fmt.Sprintf("%sexit code %d", said, cmd.ProcessState.ExitCode())
}
