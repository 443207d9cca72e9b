package exporter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpstuck/tcpstuck/internal/flowtest"
	"github.com/tcpstuck/tcpstuck/pkg/exporter"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

func TestLookupErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("look up: %w", context.DeadlineExceeded), "timeout"},
		{fmt.Errorf("look up: %w", syscall.EPERM), "permission"},
		{fmt.Errorf("look up: %w", syscall.EACCES), "permission"},
		{fmt.Errorf("look up: %w", syscall.ENOBUFS), "no_buffer"},
		{errors.New("192.0.2.1:5000 is odd"), "other"},
		{nil, ""},
	} {
		e := exporter.New(options(&flowtest.Reader{}, kernel{}))
		e.Lookup(flow.SourceConntrack, time.Millisecond, c.err)
		got := scrape(t, e)
		if !strings.Contains(got, `tcpstuck_lookup_seconds_count{source="conntrack"} 1`) {
			t.Errorf("%v: the lookup was not measured", c.err)
		}
		counted := strings.Contains(got, `tcpstuck_lookup_errors_total{error="`+c.want+`",source="conntrack"} 1`)
		if counted != (c.err != nil) {
			t.Errorf("%v: error %q counted: %v", c.err, c.want, counted)
		}
		if n := countFamily(got, "tcpstuck_lookup_errors_total"); n != len(flow.Sources())*4 {
			t.Errorf("%v: %d series of errors, the set is fixed", c.err, n)
		}
	}
}
