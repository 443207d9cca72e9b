package scenario

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
)

// Sample is one line of /metrics.
type Sample struct {
	Name   string
	Labels map[string]string
	Value  float64
}

// Metrics is one scrape.
type Metrics []Sample

// ParseMetrics reads the text exposition format, as far as the agent uses it:
// no timestamps, no exemplars.
func ParseMetrics(r io.Reader) (Metrics, error) {
	var all Metrics
	for lines := bufio.NewScanner(r); ; {
		if !lines.Scan() {
			return all, lines.Err()
		}
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s, err := parseSample(line)
		if err != nil {
			return nil, fmt.Errorf("read metrics line %q: %w", line, err)
		}
		all = append(all, s)
	}
}

func parseSample(line string) (Sample, error) {
	s := Sample{Labels: map[string]string{}}
	i := strings.IndexAny(line, "{ ")
	if i < 0 {
		return s, fmt.Errorf("no value")
	}
	s.Name, line = line[:i], line[i:]
	for line[0] != ' ' { // `{name="value"`, `,name="value"` or `}`
		if line[0] == '}' {
			line = line[1:]
			break
		}
		name, rest, found := strings.Cut(line[1:], "=")
		if !found {
			return s, fmt.Errorf("a label has no value")
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return s, fmt.Errorf("label %s: %w", name, err)
		}
		if s.Labels[name], err = strconv.Unquote(quoted); err != nil {
			return s, fmt.Errorf("label %s: %w", name, err)
		}
		if line = rest[len(quoted):]; line == "" || line[0] == ' ' {
			return s, fmt.Errorf("the labels have no end")
		}
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	s.Value = value
	return s, err
}

// Value returns the series of a metric that has these labels, and 0 if there is none.
func (m Metrics) Value(name string, labels map[string]string) float64 {
	for _, s := range m {
		if s.Name == name && maps.Equal(s.Labels, labels) {
			return s.Value
		}
	}
	return 0
}

// Sum adds up all series of a metric. Found is false when it has none.
func (m Metrics) Sum(name string) (sum float64, found bool) {
	for _, s := range m {
		if s.Name == name {
			sum, found = sum+s.Value, true
		}
	}
	return sum, found
}
