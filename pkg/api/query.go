package api

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// parseQuery reads the parameters of /v1/flows, each at most once. One that is
// misspelt or unknown is an error: its caller would get more flows than it asked
// for, and not notice.
func parseQuery(r *http.Request) (Query, error) {
	values, err := parameters(r, "state", "muted", "brief", "rows", "ended_after")
	if err != nil {
		return Query{}, err
	}
	q := Query{State: State(values.Get("state"))}
	switch q.State {
	case "":
		q.State = Live
	case Live, Ended, All:
	default:
		return Query{}, fmt.Errorf("state is %q, not live, ended or all", q.State)
	}
	if q.Suppressed, err = boolean(values, "muted"); err != nil {
		return Query{}, err
	}
	if q.Brief, err = boolean(values, "brief"); err != nil {
		return Query{}, err
	}
	if q.Rows, err = boolean(values, "rows"); err != nil {
		return Query{}, err
	}
	if after := values.Get("ended_after"); after != "" {
		if q.EndedAfter, err = time.Parse(time.RFC3339Nano, after); err != nil {
			return Query{}, fmt.Errorf("ended_after is %q, not a time as 2006-01-02T15:04:05Z", after)
		}
	}
	return q, nil
}

// parameters returns those of a request, which may have the named ones alone.
func parameters(r *http.Request, names ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("read the query: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no parameter %q", name)
		}
		if n := len(values[name]); n > 1 {
			return nil, fmt.Errorf("%s is given %d times", name, n)
		}
	}
	return values, nil
}

func boolean(values url.Values, name string) (bool, error) {
	s := values.Get(name)
	if s == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%s is %q, not true or false", name, s)
	}
	return b, nil
}
