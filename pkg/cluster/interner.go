package cluster

// interner makes equal strings share their bytes. It holds names that many
// objects repeat. When it is full it is emptied, so that old names do not stay
// for ever.
type interner map[string]string

const internLimit = 1 << 14

func (t interner) of(s string) string {
	if known, ok := t[s]; ok {
		return known
	}
	if len(t) >= internLimit {
		clear(t)
	}
	t[s] = s
	return s
}
