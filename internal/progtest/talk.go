package progtest

import (
	"io"
	"os"
	"os/exec"
	"testing"
)

// Talk starts a program that the test writes to and reads from. What it says to
// stderr is shown with the test's output. The caller waits for its end.
func Talk(t testing.TB, cmd *exec.Cmd) (in io.WriteCloser, out io.Reader) {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err = cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, out
}
