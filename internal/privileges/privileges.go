// Package privileges reads the list of all that the agent may do, so that tests compare
// manifests, image and binary with one list.
package privileges

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
)

// List is what the agent may do, each part sorted.
type List struct {
	Capabilities []string // of Linux, without CAP_
	Kubernetes   []string // "VERB RESOURCE[.GROUP]"
}

// Read reads the list, deploy/privileges.txt.
func Read(path string) (List, error) {
	file, err := os.Open(path)
	if err != nil {
		return List{}, fmt.Errorf("read the list of privileges: %w", err)
	}
	defer file.Close()
	var list List
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		kind, what, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "", "#":
		case "capability":
			list.Capabilities = append(list.Capabilities, what)
		case "kubernetes":
			list.Kubernetes = append(list.Kubernetes, what)
		default:
			return List{}, fmt.Errorf("%s: %q is no privilege", path, lines.Text())
		}
	}
	slices.Sort(list.Capabilities)
	slices.Sort(list.Kubernetes)
	return list, lines.Err()
}
