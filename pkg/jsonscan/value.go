package jsonscan

// Raw reads any value and returns it as it stands there. It is valid until the text
// changes.
func (t *Text) Raw() []byte {
	t.peek()
	begin := t.at
	t.Skip()
	if t.err != nil {
		return nil
	}
	return t.bytes[begin:t.at]
}

// Skip reads any value.
func (t *Text) Skip() {
	switch c := t.peek(); c {
	case '{', '[':
		t.Open(c)
		for t.More(c + 2) { // the bracket that ends it
			if c == '{' {
				t.quoted()
				t.colon()
			}
			t.Skip()
		}
	default:
		t.scalar(c)
	}
}

// scalar reads what begins with c and is neither an object nor an array, and returns it
// as it stands there.
func (t *Text) scalar(c byte) []byte {
	begin := t.at
	switch c {
	case '"':
		t.quoted()
	case 't':
		t.word("true")
	case 'f':
		t.word("false")
	case 'n':
		t.word("null")
	default:
		t.Number()
	}
	if t.err != nil {
		return nil
	}
	return t.bytes[begin:t.at]
}

// AppendIndented reads any value and appends it as json.Indent does with two spaces a
// level, at a level of its own.
func (t *Text) AppendIndented(b []byte, level int) []byte {
	c := t.peek()
	if c != '{' && c != '[' {
		return append(b, t.scalar(c)...)
	}
	t.Open(c)
	b = append(b, c)
	empty := true
	for t.More(c + 2) {
		if !empty {
			b = append(b, ',')
		}
		empty = false
		b = appendLine(b, level+1)
		if c == '{' {
			name, _ := t.quoted()
			t.colon()
			b = append(append(b, name...), ": "...)
		}
		b = t.AppendIndented(b, level+1)
	}
	if !empty {
		b = appendLine(b, level)
	}
	return append(b, c+2)
}

// appendLine begins a line at a level.
func appendLine(b []byte, level int) []byte {
	b = append(b, '\n')
	for range level {
		b = append(b, "  "...)
	}
	return b
}
