package kube

import (
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// ErrNoList is returned for text that is not a `kind: List`. kubectl writes the
// kind after the items, so a file that ends too early has none.
var ErrNoList = errors.New("not a complete `kind: List`")

// list is a v1.List whose items are not read yet.
type list struct {
	metav1.TypeMeta `json:",inline"`
	Items           []json.RawMessage `json:"items"`
}

// Decode reads a List of services, endpointslices, pods and nodes, in YAML or
// JSON, as `kubectl get services,endpointslices,pods,nodes -A -o yaml` prints
// it. It skips items of other kinds. It returns an error if an item of these
// kinds cannot be read. YAML whose kind comes before the items may be cut after
// any item: File waits until such text stays the same.
//
// A list does not show which kinds it was made of. A list without pods says
// nothing of pods, and one without nodes says nothing of nodes. In a list
// without services or slices there are none, unless the list is empty.
func Decode(data []byte) (cluster.Objects, error) {
	var objs cluster.Objects
	l, err := decodeList(data)
	if err != nil {
		return objs, err
	}
	for i, raw := range l.Items {
		if err := add(&objs, raw); err != nil {
			return cluster.Objects{}, fmt.Errorf("item %d: %w", i, err)
		}
	}
	objs.HasPods, objs.HasNodes = len(objs.Pods) > 0, len(objs.Nodes) > 0
	some := objs.HasPods || objs.HasNodes || len(objs.Services) > 0 || len(objs.Slices) > 0
	objs.HasServices, objs.HasSlices = some, some
	return objs, nil
}

func decodeList(data []byte) (list, error) {
	var l list
	if !isJSON(data) {
		converted, err := yaml.YAMLToJSON(data)
		if err != nil {
			return l, fmt.Errorf("read YAML: %w", err)
		}
		data = converted
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return l, fmt.Errorf("read list: %w", err)
	}
	if l.Kind != "List" || l.APIVersion != "v1" {
		return l, ErrNoList
	}
	return l, nil
}

// add reads one item into objs.
func add(objs *cluster.Objects, raw json.RawMessage) error {
	var t struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return fmt.Errorf("read kind: %w", err)
	}
	if t.Metadata.Name == "" {
		return fmt.Errorf("%s without a name", t.Kind)
	}
	switch t.APIVersion + " " + t.Kind {
	case "v1 Service":
		return read(raw, &objs.Services, Service)
	case "discovery.k8s.io/v1 EndpointSlice":
		return read(raw, &objs.Slices, Slice)
	case "v1 Pod":
		return read(raw, &objs.Pods, Pod)
	case "v1 Node":
		return read(raw, &objs.Nodes, Node)
	}
	return nil
}

// read converts one object and appends it to its kind.
func read[K, C any](raw json.RawMessage, to *[]C, convert func(*K) C) error {
	object := new(K)
	if err := json.Unmarshal(raw, object); err != nil {
		return fmt.Errorf("read %T: %w", *object, err)
	}
	*to = append(*to, convert(object))
	return nil
}
