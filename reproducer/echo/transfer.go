package main

import (
	"flag"
	"fmt"
	"log/slog"

	"github.com/tcpstuck/tcpstuck/reproducer/internal/record"
)

// runTransfer runs the commands of the pair that loses bytes.
func runTransfer(args []string, flags *flag.FlagSet, recordFile, family *string) error {
	switch args[0] {
	case "consume":
		c := consumer{log: slog.Default()}
		flags.StringVar(&c.listen, "listen", ":8000", "`address` to listen on")
		flags.DurationVar(&c.hold, "hold", 0, "read nothing for so long")
		flags.DurationVar(&c.ping, "ping", defaultInterval, "time between pings")
		_ = flags.Parse(args[1:]) // ExitOnError
		return withRecords(*recordFile, func(w *record.Writer) error {
			c.records, c.family = w, *family
			return c.run()
		})
	case "produce":
		p := producer{log: slog.Default()}
		flags.StringVar(&p.consumer, "consumer", "consumer:8000", "`address` of the consumer")
		flags.IntVar(&p.connections, "connections", 1, "how many transfers, a moment after each other")
		flags.IntVar(&p.bytes, "bytes", 200<<10, "how many `bytes` to send")
		flags.StringVar(&p.manner, "manner", careless, "`how` to end: careless, hasty or draining")
		flags.DurationVar(&p.patience, "patience", defaultInterval, "how long to drain")
		flags.BoolVar(&p.onSignal, "on-signal", false, "begin at SIGUSR1")
		_ = flags.Parse(args[1:]) // ExitOnError
		return withRecords(*recordFile, func(w *record.Writer) error {
			p.records, p.family = w, *family
			return p.run()
		})
	}
	return fmt.Errorf("unknown command %q: %s", args[0], usage)
}
