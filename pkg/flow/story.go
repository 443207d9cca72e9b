package flow

import "time"

// Advice is one thing to do. Exactly one of the fields is set.
type Advice struct {
	Now     string `json:"now,omitempty"`      // a command, or a step, for tonight
	ForGood string `json:"for_good,omitempty"` // a setting that keeps it from happening again
}

// Evidence is one question that was asked and its answer.
type Evidence struct {
	Source string    `json:"source"`
	Asked  string    `json:"asked"`
	Answer string    `json:"answer"`
	At     time.Time `json:"at"`
}

// Step is one line of a flow's story.
type Step struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}
