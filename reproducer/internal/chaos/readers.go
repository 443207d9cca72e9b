package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"time"
)

// readers: a caller that does not read its answer delays no other.
func readers() Fault {
	const (
		each  = 200
		fresh = 100
	)
	return Fault{
		Name:  "deaf-readers",
		Story: "200 clients each on the unix socket, the page and the metrics port ask for flows, the page, an audit or metrics and never read the answer",
		play: func(ctx context.Context, l *Lab, o *Outcome) (err error) {
			var deaf []net.Conn
			defer func() {
				for _, c := range deaf {
					err = errors.Join(err, c.Close())
				}
			}()
			before, err := l.agent.memory()
			if err != nil {
				return err
			}
			for n := range each {
				for _, d := range l.agent.doors() {
					c, err := askAndLeave(ctx, l, d.network, d.address, d.paths[n%len(d.paths)])
					if err != nil {
						return err
					}
					deaf = append(deaf, c)
					o.inject(1)
				}
			}
			if err := stillWorks(ctx, l, o, fresh); err != nil {
				return err
			}
			after, err := l.agent.memory()
			if err != nil {
				return err
			}
			o.see("resident memory %d MiB before, %d MiB with them", before>>20, after>>20)
			if after > before+deafMemory {
				o.lose("%d clients that never read cost %d MiB", len(deaf), (after-before)>>20)
			}
			return nil
		},
	}
}

// deafMemory is what clients that never read may cost, however many they are.
const deafMemory = 64 << 20 // bytes

// door is an address of an agent, and a question for it.
type door struct {
	network, address string
	paths            []string
}

func (a *agent) doors() []door {
	api := []string{"/v1/flows?state=all&muted=true", "/", "/v1/audit"}
	return []door{{"unix", a.socket, api}, {"tcp", a.page, api}, {"tcp", a.address, []string{"/metrics"}}}
}

func askAndLeave(ctx context.Context, l *Lab, network, address, path string) (net.Conn, error) {
	conn, err := l.agent.ns.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if local, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		l.truth.ignore(local.AddrPort())
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

const (
	// In which `tcpstuck dump` answers, or in ten times what it took without a
	// load, and a flow is listed: on two cores that others use, too.
	dumpTime   = 5 * time.Second
	detectTime = stuckAfter + 8*time.Second
)

// stillWorks demands that an agent under load finds new hangs, and that dump answers.
func stillWorks(ctx context.Context, l *Lab, o *Outcome, fresh int) error {
	conns, err := l.calm(ctx, l.client.NS, fresh)
	if err != nil {
		return err
	}
	took, err := l.dump(ctx)
	if err != nil {
		return err
	}
	if took > max(dumpTime, 10*l.calmDump) {
		o.lose("dump took %.1f s", took.Seconds())
	}
	began := time.Now()
	if err := l.hang(conns); err != nil {
		return err
	}
	if err := l.truth.found(ctx, l.agent); err != nil {
		o.lose("%v", err)
	}
	found := time.Since(began)
	if found > detectTime {
		o.lose("%d new flows were all listed after %.1f s only", fresh, found.Seconds())
	}
	o.see("dump answers in %.2f s (%.2f s without the load); %d new flows are listed within %.1f s", took.Seconds(), l.calmDump.Seconds(), fresh, found.Seconds())
	l.calmDown(conns)
	return nil
}

// dump runs the command against the agent that runs the whole time.
func (l *Lab) dump(ctx context.Context) (time.Duration, error) {
	d, err := l.dumpOf(ctx, l.agent)
	switch {
	case err != nil:
		return 0, err
	case d.exit == 0:
		return 0, errors.New("tcpstuck dump says that nothing is stuck")
	case d.exit != 1:
		return 0, fmt.Errorf("tcpstuck dump: exit status %d: %s", d.exit, d.says)
	}
	return d.took, nil
}

// dumped is an answer of `tcpstuck dump`.
type dumped struct {
	exit int
	says string // on both outputs
	took time.Duration
}

// dumpOf runs the command against an agent.
func (l *Lab) dumpOf(ctx context.Context, a *agent) (dumped, error) {
	began := time.Now()
	says, err := exec.CommandContext(ctx, filepath.Join(l.bin, "tcpstuck"), "dump", "--socket", a.socket).CombinedOutput()
	d := dumped{says: string(says), took: time.Since(began)}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		d.exit, err = exit.ExitCode(), nil
	}
	if err != nil {
		return d, fmt.Errorf("tcpstuck dump: %w", err)
	}
	return d, nil
}
