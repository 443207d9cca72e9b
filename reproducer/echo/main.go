// Command echo is the pair that shows the hang: a client that sends a line
// every few seconds, and a server that echoes it. A second pair loses bytes: a
// producer that sends all it has and closes, and a consumer that pings it.
//
//	echo server [--listen :8000] [--catch-sigterm] [--drain D] [--push D] [--discard] [--sip D]
//	echo client [--server server:8000] [--interval 5s] [--connections N] [--requests N] [--idle] [--stream BYTES]
//	echo crowd  --server ADDRESS [as client] [--reconnect] [--send-buffer BYTES]
//	echo proxy  [--listen :15001] --server server:8000
//	echo consume [--listen :8000] [--hold D] [--ping D]
//	echo produce [--consumer consumer:8000] [--bytes N] [--manner careless|hasty|draining] [--patience D] [--on-signal]
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

const usage = "usage: echo server|client|crowd|proxy|consume|produce [flags]; echo COMMAND -h lists them"

func main() {
	if err := run(os.Args[1:]); err != nil {
		slog.Error("Echo failed", "error", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command: %s", usage)
	}
	flags := flag.NewFlagSet("echo "+args[0], flag.ExitOnError)
	recordFile := flags.String("record", "", "append a machine-readable record of every step to this `file`")
	family := flags.String("family", "4", "4, 6 or mapped (IPv4 over an IPv6 socket)")

	switch args[0] {
	case "server":
		s := server{log: slog.Default()}
		flags.StringVar(&s.listen, "listen", ":8000", "`address` to listen on")
		flags.BoolVar(&s.catchSIGTERM, "catch-sigterm", false, "go on serving after SIGTERM")
		flags.DurationVar(&s.drain, "drain", 0, "after SIGTERM, serve open connections at most this long, then close them and exit")
		flags.DurationVar(&s.push, "push", 0, "also send a line on each connection every so often, unasked")
		flags.BoolVar(&s.discard, "discard", false, "read and never answer")
		flags.DurationVar(&s.sip, "sip", 0, "with --discard, read a little every so often only")
		_ = flags.Parse(args[1:]) // ExitOnError
		return withRecords(*recordFile, func(w *record.Writer) error {
			s.records, s.family = w, *family
			return s.run()
		})
	case "client":
		c := client{log: slog.Default()}
		c.flags(flags)
		_ = flags.Parse(args[1:]) // ExitOnError
		return withRecords(*recordFile, func(w *record.Writer) error {
			c.records, c.family = w, *family
			return c.run()
		})
	case "crowd":
		c := crowd{client: client{log: slog.Default()}}
		c.flags(flags)
		flags.BoolVar(&c.reconnect, "reconnect", false, "make another connection when one ends")
		flags.IntVar(&c.sendBuffer, "send-buffer", 0, "SO_SNDBUF in `bytes`; 0: leave it")
		_ = flags.Parse(args[1:]) // ExitOnError
		return withRecords(*recordFile, func(w *record.Writer) error {
			c.records, c.family = w, *family
			return c.run()
		})
	case "proxy":
		p := proxy{log: slog.Default()}
		flags.StringVar(&p.listen, "listen", ":15001", "`address` to listen on")
		flags.StringVar(&p.upstream, "server", "server:8000", "`address` to pass everything on to")
		_ = flags.Parse(args[1:]) // ExitOnError
		return withRecords(*recordFile, func(w *record.Writer) error {
			p.records, p.family = w, *family
			return p.run()
		})
	}
	return runTransfer(args, flags, recordFile, family)
}

// withRecords calls f with a writer to file, or with nil when file is empty.
func withRecords(file string, f func(*record.Writer) error) error {
	if file == "" {
		return f(nil)
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open record file: %w", err)
	}
	defer out.Close()
	return f(record.NewWriter(out))
}
