package flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// APIVersion is the version of the JSON form of a Finding.
const APIVersion = "tcpstuck/v1"

// CheckAPIVersion returns an error unless an answer is of APIVersion; one
// without a version is no answer.
func CheckAPIVersion(got string) error {
	if got != APIVersion {
		return fmt.Errorf("apiVersion is %q, this program reads %q", got, APIVersion)
	}
	return nil
}

// The members of a finding, parted where its age stands. They are never
// written.
var (
	findingMembers = membersOf(reflect.TypeFor[Finding]())
	agePlace       = slices.IndexFunc(findingMembers, func(m member) bool { return m.name == "timeouts" })
)

// MarshalJSON writes the finding in the form of the contract.
func (f Finding) MarshalJSON() ([]byte, error) {
	return f.AppendJSON(make([]byte, 0, usualBytes)), nil
}

// usualBytes is how long the JSON of most findings is at most.
const usualBytes = 4 << 10

// AppendJSON appends what MarshalJSON returns.
func (f *Finding) AppendJSON(b []byte) []byte {
	v := reflect.ValueOf(f).Elem()
	b = append(b, `{"apiVersion":"`+APIVersion+`",`...)
	b = appendMembers(b, v, findingMembers[:agePlace])
	b = appendAge(b, f)
	return closeObject(appendMembers(b, v, findingMembers[agePlace:]))
}

func appendAge(b []byte, f *Finding) []byte {
	b = appendName(b, "age_seconds")
	if f.Since.IsZero() {
		return append(b, "null,"...)
	}
	return append(appendSeconds(b, f.Age()), ',')
}

// UnmarshalJSON reads what MarshalJSON wrote; null becomes the zero value.
func (f *Finding) UnmarshalJSON(b []byte) error {
	type plain Finding
	*f = Finding{}
	in := struct {
		*plain
		APIVersion  string   `json:"apiVersion"`
		RTO         *seconds `json:"rto_seconds"`
		UserTimeout *seconds `json:"user_timeout_seconds"`
	}{plain: (*plain)(f), RTO: (*seconds)(&f.RTO), UserTimeout: (*seconds)(&f.UserTimeout)}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	if err := CheckAPIVersion(in.APIVersion); err != nil {
		return err
	}
	if f.ID == 0 {
		return errors.New("the flow has no id")
	}
	return nil
}

// seconds is a duration as JSON has it.
type seconds time.Duration

// UnmarshalJSON reads a number of seconds; null leaves it as it is.
func (s *seconds) UnmarshalJSON(b []byte) error {
	var x float64
	if err := json.Unmarshal(b, &x); err != nil {
		return err
	}
	*s = seconds(time.Duration(x * float64(time.Second)).Round(time.Microsecond))
	return nil
}
