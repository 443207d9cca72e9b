// Package ledger holds one entry for each flow under suspicion or reported, and
// the latest that are over. An Entry is never changed: what becomes of a flow is
// a new entry in its place, so that a reader may keep one for as long as it
// likes. The life of a flow is a pure state machine; time is passed in. One
// goroutine writes, any may read; nothing is computed under the lock.
//
// An entry takes some 600 bytes, for it keeps a reading in compact form and
// shares what it has in common with other flows.
package ledger
