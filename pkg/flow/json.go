package flow

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/tcpstuck/tcpstuck/pkg/jsonscan"
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
	findingForm    = formOf(reflect.TypeFor[Finding]())
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
	b = append(b, `"age_seconds":`...)
	if f.Since.IsZero() {
		return append(b, "null,"...)
	}
	return append(appendSeconds(b, f.Age()), ',')
}

// UnmarshalJSON reads what MarshalJSON wrote; null becomes the zero value.
func (f *Finding) UnmarshalJSON(b []byte) error {
	t := jsonscan.Of(b)
	f.ReadJSON(t)
	return t.Err()
}

// ReadJSON reads what AppendJSON appended; null becomes the zero value. It passes
// over members that it does not know.
func (f *Finding) ReadJSON(t *jsonscan.Text) {
	*f = Finding{}
	version := ""
	if !t.Null() {
		findingForm.read(t, reflect.ValueOf(f).Elem(), func(name []byte) bool {
			if string(name) != "apiVersion" {
				return false
			}
			version = t.String()
			return true
		})
	}
	t.Fail(CheckAPIVersion(version))
	if f.ID == 0 {
		t.Fail(errors.New("the flow has no id"))
	}
}
