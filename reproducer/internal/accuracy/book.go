package accuracy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// Book is everything that a round is judged by: the labels, what the applications know,
// and what the agent reported.
type Book struct {
	Seed   uint64            `json:"seed"`
	Round  int               `json:"round"`
	Up     []Window          `json:"up"`   // when the agent was there
	Over   time.Time         `json:"over"` // when watching ended
	Labels []Label           `json:"labels"`
	Truths map[string]*Truth `json:"truths"` // by the label's flow
	Events []flow.Event      `json:"events"`
	// Unseen is how many ends the agent says that the kernel showed to no
	// program (tcpstuck_records_lost_total, stage unseen).
	Unseen int `json:"unseen"`
}

// whole returns an error for an act of the round with fewer labels than planned
// connections: a connection without a label is not judged.
func (b Book) whole(r Round) error {
	labels := map[string]int{}
	for _, l := range b.Labels {
		labels[path.Dir(l.Flow)]++
	}
	for _, a := range r.Acts {
		const odd = 1 // the connections of a proxy come in pairs
		if n := labels[fmt.Sprintf("%d/%s", r.Number, a.Name)]; n < a.Flows-odd {
			return fmt.Errorf("%s: %d connections are labelled of %d that were planned", a.Name, n, a.Flows)
		}
	}
	return nil
}

// keep writes the book into a folder, as a file of its own.
func (b Book) keep(folder string) error {
	raw, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return fmt.Errorf("keep a round's book: %w", err)
	}
	path := filepath.Join(folder, fmt.Sprintf("%d-%d.json", b.Seed, b.Round))
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		return fmt.Errorf("keep a round's book: %w", err)
	}
	return nil
}

// JudgeAgain judges the books in a folder: as before, or by a scorer that has become
// stricter.
func JudgeAgain(folder string) (r Result, err error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*-*.json"))
	if err != nil || len(paths) == 0 {
		return r, errors.Join(err, fmt.Errorf("%s has no round's book", folder))
	}
	for _, path := range paths {
		b, err := ReadBook(path)
		if err != nil {
			return r, err
		}
		one := b.Judge()
		one.Seeds = []uint64{b.Seed}
		r.Add(one)
	}
	slices.Sort(r.Seeds)
	return r, nil
}

// ReadBook reads a book that was kept.
func ReadBook(path string) (b Book, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return b, fmt.Errorf("read a round's book: %w", err)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, fmt.Errorf("read a round's book %s: %w", path, err)
	}
	return b, nil
}
