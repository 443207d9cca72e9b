package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A child is this program in another role: a process may hold only so many
// descriptors, and what is measured has to be a process of its own. It obeys
// lines on its standard input and answers each with one line.
type child struct {
	*process
	commands io.WriteCloser
	answers  *bufio.Reader
}

// roles are the roles of a child; each returns a function that obeys commands.
var roles = map[string]func() (obey func(args []string) (string, error), err error){
	"connector":  newConnector,
	"acceptor":   newAcceptor,
	"comparator": newComparator,
	"witness":    newWitness,
	"talker":     newTalker,
}

const roleVariable = "TCPSTUCK_STORM_ROLE"

// playRole is a child's whole life, which ends with its standard input.
func playRole(role string) error {
	start, ok := roles[role]
	if !ok {
		return fmt.Errorf("no such role: %s", role)
	}
	obey, err := start()
	if err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		answer, err := obey(strings.Fields(in.Text()))
		if err != nil {
			answer = "error " + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		if _, err := fmt.Fprintln(os.Stdout, answer); err != nil {
			return err
		}
	}
	return in.Err()
}

// newChild starts a child in a namespace.
func newChild(ns *namespace, role string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p, err := start(ns, cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	return &child{process: p, commands: in, answers: bufio.NewReader(out)}, nil
}

// tell sends the child a command and returns its answer.
func (c *child) tell(format string, args ...any) (string, error) {
	command := fmt.Sprintf(format, args...)
	if _, err := fmt.Fprintln(c.commands, command); err != nil {
		return "", fmt.Errorf("tell a child %q: %w", command, err)
	}
	answer, err := c.answers.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("hear a child about %q: %w", command, err)
	}
	answer = strings.TrimSpace(answer)
	if why, failed := strings.CutPrefix(answer, "error "); failed {
		return "", fmt.Errorf("%s: %s", command, why)
	}
	return answer, nil
}

// end ends the child.
func (c *child) end() error {
	_ = c.commands.Close()
	return c.kill()
}

// ask returns the number that a child answers.
func (c *child) ask(format string, args ...any) (int, error) {
	answer, err := c.tell(format, args...)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(answer)
}

// process is a program that dies with this one.
type process struct {
	cmd  *exec.Cmd
	done atomic.Bool
}

// start starts a program in a namespace; nil: in this program's own.
func start(ns *namespace, cmd *exec.Cmd) (*process, error) {
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	// The signal comes when the thread that forked ends: the namespace's own.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return &process{cmd: cmd}, ns.do(cmd.Start)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the process and waits for its end.
func (p *process) stop(with syscall.Signal) error {
	if p.done.Swap(true) {
		return nil
	}
	if err := p.cmd.Process.Signal(with); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	err := p.cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil // stop ended it
	}
	return err
}

func (p *process) kill() error { return p.stop(syscall.SIGKILL) }
