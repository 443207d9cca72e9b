package ledger

// owedLooks is how many complete looks find a dropped flow again: a single one may
// miss it.
const owedLooks = 2

// owed counts the complete looks that are owed.
type owed struct {
	looks int
	since uint64 // the look since which they are owed
	look  uint64 // the present one, or the last
	pays  bool   // when that one began, looks were owed and there was room
}

// again makes all of them owed again.
func (o *owed) again() { o.looks, o.since = owedLooks, o.look }

// begin notes that a look begins.
func (o *owed) begin(look uint64, room bool) { o.look, o.pays = look, room && o.looks > 0 }

// pay notes that the last look was complete. It does not count if more became owed
// while it was made.
func (o *owed) pay() {
	if o.pays && o.since != o.look {
		o.looks--
	}
}
