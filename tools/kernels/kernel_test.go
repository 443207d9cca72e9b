package main

import (
	"regexp"
	"testing"
)

func TestOlder(t *testing.T) {
	for _, c := range []struct{ older, newer string }{
		{"6.1.0-9-cloud-amd64", "6.1.0-56-cloud-amd64"},
		{"6.12.95+deb12-cloud-amd64", "6.12.117+deb12-cloud-amd64"},
		{"6.18.15+deb13-cloud-amd64", "7.3.4+deb13-cloud-amd64"},
	} {
		if !older(c.older, c.newer) || older(c.newer, c.older) {
			t.Errorf("%s is older than %s", c.older, c.newer)
		}
	}
}

// TestEachSeriesIsOneFlavour guards the patterns: the archive lists debug
// symbols, unsigned images and other flavours beside the kernels.
func TestEachSeriesIsOneFlavour(t *testing.T) {
	of := map[string][]string{
		"5.10":   {"5.10.0-46-cloud-amd64"},
		"6.1":    {"6.1.0-56-cloud-amd64"},
		"6.12":   {"6.12.117+deb12-cloud-amd64"},
		"newest": {"6.18.15+deb13-cloud-amd64", "7.3.4+deb13-cloud-amd64"},
	}
	none := []string{
		"6.1.0-56-amd64", "6.1.0-56-cloud-amd64-dbg", "6.1.0-56-cloud-amd64-unsigned", "6.1.0-56-rt-amd64", "6.12-cloud-amd64", "cloud-amd64",
	}
	for _, s := range sources() {
		pattern := regexp.MustCompile(`^(` + s.release + `)$`)
		for name, releases := range of {
			for _, r := range releases {
				if pattern.MatchString(r) != (name == s.name) {
					t.Errorf("%s takes %s for its own: %t", s.name, r, name != s.name)
				}
			}
		}
		for _, r := range none {
			if pattern.MatchString(r) {
				t.Errorf("%s takes %s", s.name, r)
			}
		}
	}
}
