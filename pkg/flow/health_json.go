package flow

import (
	"encoding/json"
	"time"
)

type wireHealth struct {
	Source   Source     `json:"source"`
	Up       bool       `json:"up"`
	LastSync *time.Time `json:"last_sync"`
	Detail   *string    `json:"detail"`
}

// MarshalJSON writes the health with null for what is not known.
func (h Health) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireHealth{Source: h.Source, Up: h.Up, LastSync: instant(h.LastSync), Detail: maybe(h.Detail)})
}

// UnmarshalJSON reads what MarshalJSON wrote; null becomes the zero value.
func (h *Health) UnmarshalJSON(b []byte) error {
	var w wireHealth
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*h = Health{Source: w.Source, Up: w.Up, LastSync: value(w.LastSync), Detail: value(w.Detail)}
	return nil
}
