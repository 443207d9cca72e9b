package house

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/tcpstuck/tcpstuck/"

// pkg is what `go list` says of a package. Imports leaves its tests out.
type pkg struct {
	ImportPath string
	Imports    []string
}

func TestHouse(t *testing.T) {
	pkgs, err := list()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		for _, v := range violations(p) {
			t.Error(v)
		}
	}
}

// list returns the packages of the module.
func list() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		pkgs = append(pkgs, p)
	}
}

// violations says, in sentences, where a package breaks the plan.
func violations(p pkg) []string {
	name := strings.TrimPrefix(p.ImportPath, module)
	here, room := place(name)
	if here < 0 {
		return []string{name + " has no place on the street"}
	}
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	isPure := within(name, pure)
	for _, imp := range p.Imports {
		if other, ours := strings.CutPrefix(imp, module); ours {
			there, neighbour := place(other)
			if there >= here && neighbour != room {
				add("%s imports %s, which does not stand above it", name, other)
			}
			continue
		}
		if standard(imp) {
			if isPure && slices.Contains(impure, imp) {
				add("%s is pure and imports %s", name, imp)
			}
			continue
		}
		if isPure {
			add("%s is pure and imports %s", name, imp)
		}
		if !within(name, allowed(imp)) {
			add("%s imports %s, which is not its to import", name, imp)
		}
	}
	return found
}

// place returns the block and the room of a package, -1 when it has none.
func place(name string) (int, string) {
	for i, block := range street {
		for _, room := range block {
			if within(name, []string{room}) {
				return i, room
			}
		}
	}
	return -1, ""
}

func within(name string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool {
		return name == room || strings.HasPrefix(name, room+"/")
	})
}

// allowed returns the rooms that may import a dependency.
func allowed(imp string) []string {
	for prefix, rooms := range importers {
		if strings.HasPrefix(imp, prefix) {
			return rooms
		}
	}
	return nil
}

// standard reports whether a package is of the standard library: the first
// element of its path has no dot.
func standard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

func TestViolations(t *testing.T) {
	for name, tc := range map[string]struct {
		pkg     string
		imports []string
		want    []string
	}{
		"down the street":   {"pkg/inspector", []string{"context", module + "pkg/flow", module + "pkg/tracer"}, nil},
		"within one room":   {"reproducer/cmd/reproducer", []string{module + "reproducer/internal/cluster"}, nil},
		"its dependency":    {"pkg/tracer", []string{"github.com/cilium/ebpf/link"}, nil},
		"up the street":     {"pkg/tracer", []string{module + "pkg/inspector"}, []string{"pkg/tracer imports pkg/inspector, which does not stand above it"}},
		"across the hall":   {"pkg/monitor", []string{module + "pkg/tracer"}, []string{"pkg/monitor imports pkg/tracer, which does not stand above it"}},
		"not its own":       {"pkg/inspector", []string{"github.com/cilium/ebpf"}, []string{"pkg/inspector imports github.com/cilium/ebpf, which is not its to import"}},
		"for tests alone":   {"pkg/api", []string{"github.com/google/go-cmp/cmp"}, []string{"pkg/api imports github.com/google/go-cmp/cmp, which is not its to import"}},
		"pure, but reads":   {"pkg/deadline", []string{"os", "time"}, []string{"pkg/deadline is pure and imports os"}},
		"pure, but depends": {"pkg/flow", []string{"golang.org/x/sys/unix"}, []string{"pkg/flow is pure and imports golang.org/x/sys/unix"}},
		"a room unheard of": {"pkg/flows", nil, []string{"pkg/flows has no place on the street"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := violations(pkg{ImportPath: module + tc.pkg, Imports: tc.imports})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
