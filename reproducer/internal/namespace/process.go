package namespace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Command is a program to run in a namespace.
type Command struct {
	Path   string
	Args   []string
	Env    []string
	Log    io.Writer
	Record func(io.Reader) // reads until the end; nil: the program writes none
}

// RecordFile is the path at which a program with Command.Record set finds its pipe.
const RecordFile = "/dev/fd/3"

// Process is a running program. The kernel kills it when the program that
// started it dies.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts a program in the namespace.
func (n *Namespace) Start(c Command) (*Process, error) {
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = c.Log, c.Log
	// The signal comes when the thread that forked ends: this namespace's. If a
	// shell's end orphans a process group, the kernel continues the stopped
	// processes in it; a session of its own prevents that.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}

	read := func() {}
	if c.Record != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("make record pipe: %w", err)
		}
		defer w.Close()
		cmd.ExtraFiles = []*os.File{w}
		read = func() { defer r.Close(); c.Record(r) }
	}
	if err := n.Do(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		read()
		p.err = cmd.Wait()
	}()
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal; a process that is gone is no error.
func (p *Process) Signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.PID(), err)
	}
	return nil
}

// Done is closed when the process has ended and all it recorded was read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the process ended, once Done is closed: nil for exit 0.
func (p *Process) Err() error { return p.err }

// Stop asks the process to end, kills it after grace and waits for its end.
func (p *Process) Stop(grace time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
	}
	return p.Kill()
}

// Kill kills the process and waits for its end.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}
