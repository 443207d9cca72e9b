// Package ledger holds one entry for each suspect and each reported flow, and
// the latest flows that are over. An Entry never changes: a new entry takes its
// place, so a reader may keep one as long as it likes. The life of a flow is a
// pure state machine; time is passed in. One goroutine writes, any may read;
// nothing is computed under the lock.
//
// An entry takes some 500 bytes: it keeps a reading in compact form and shares
// what it has in common with other flows.
package ledger
