package door

import "testing"

func TestShare(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit uint64
		held  int
		doors int
		want  int // 0: an error
	}{
		{"no limit", 1 << 62, 51, 3, 64},
		{"the usual", 1024, 51, 3, 64},
		{"few", 256, 51, 3, 52},
		{"many ports share them", 256, 51, 10, 15},
		{"the fewest", 111, 51, 3, 4},
		{"too few", 110, 51, 3, 0},
		{"less than it holds", 40, 51, 3, 0},
	} {
		got, err := share(c.limit, c.held, c.doors)
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%s: %d, %v, want %d", c.name, got, err, c.want)
		}
		if err == nil && uint64(c.held+reserve+c.doors*got) > c.limit {
			t.Errorf("%s: %d places in %d doors leave less than the reserve", c.name, got, c.doors)
		}
	}
}
