package flow

import (
	"errors"
	"fmt"
	"reflect"

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

// findingForm is never written.
var findingForm = formOf(reflect.TypeFor[Finding]())

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
