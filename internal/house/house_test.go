package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/tcpstuck/tcpstuck/"

// pkg is a package and what it imports, its tests left out.
type pkg struct {
	name    string // its folder, from the top of the module
	imports []string
}

func TestHouse(t *testing.T) {
	pkgs, err := read("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 2 {
		t.Fatalf("the module has only the packages %v", pkgs)
	}
	for _, p := range pkgs {
		for _, v := range violations(p) {
			t.Error(v)
		}
	}
}

// read returns the packages of the module at root. It opens every file
// itself, so that go test knows what a cached result depends on.
func read(root string) ([]pkg, error) {
	imports := make(map[string][]string)
	err := sources(root, parser.ImportsOnly, func(folder string, file *ast.File) {
		imports[folder] = append(imports[folder], paths(file)...)
	})
	if err != nil {
		return nil, fmt.Errorf("read the module's imports: %w", err)
	}
	var pkgs []pkg
	for _, name := range slices.Sorted(maps.Keys(imports)) {
		slices.Sort(imports[name])
		pkgs = append(pkgs, pkg{name, slices.Compact(imports[name])})
	}
	return pkgs, nil
}

// sources visits the Go files of the module at root, its tests left out, with the
// folder of each.
func sources(root string, mode parser.Mode, visit func(folder string, file *ast.File)) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(root, path, d.Name())
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, mode)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		visit(folder, file)
		return nil
	})
}

// enter skips the folders that hold no package of this module.
func enter(root, path, name string) error {
	if path == root {
		return nil
	}
	if name[0] == '.' || name[0] == '_' || name == "testdata" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func paths(file *ast.File) []string {
	var all []string
	for _, spec := range file.Imports {
		all = append(all, strings.Trim(spec.Path.Value, `"`))
	}
	return all
}

// violations says, in sentences, where a package breaks the plan.
func violations(p pkg) []string {
	name := p.name
	here, room := place(name)
	if here < 0 {
		return []string{name + " has no place on the street"}
	}
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	isPure := within(name, pure)
	for _, imp := range p.imports {
		if other, ours := strings.CutPrefix(imp, module); ours {
			there, neighbour := place(other)
			if there >= here && neighbour != room {
				add("%s imports %s, which does not stand above it", name, other)
			}
			if isPure && !within(other, pure) {
				add("%s is pure and imports %s, which is not", name, other)
			}
			continue
		}
		if standard(imp) {
			if isPure && slices.Contains(impure, imp) && (imp != "syscall" || !within(name, errnos)) {
				add("%s is pure and imports %s", name, imp)
			}
			continue
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
		"across the hall":   {"pkg/diagnosis", []string{module + "pkg/tracer"}, []string{"pkg/diagnosis imports pkg/tracer, which does not stand above it", "pkg/diagnosis is pure and imports pkg/tracer, which is not"}},
		"not its own":       {"pkg/inspector", []string{"github.com/cilium/ebpf"}, []string{"pkg/inspector imports github.com/cilium/ebpf, which is not its to import"}},
		"for tests alone":   {"pkg/api", []string{"github.com/google/go-cmp/cmp"}, []string{"pkg/api imports github.com/google/go-cmp/cmp, which is not its to import"}},
		"pure, but reads":   {"pkg/deadline", []string{"os", "time"}, []string{"pkg/deadline is pure and imports os"}},
		"pure, by syscall":  {"pkg/cluster", []string{"syscall"}, []string{"pkg/cluster is pure and imports syscall"}},
		"errnos":            {"pkg/diagnosis", []string{"syscall"}, nil},
		"pure, by another":  {"pkg/ledger", []string{module + "pkg/conntrack"}, []string{"pkg/ledger is pure and imports pkg/conntrack, which is not"}},
		"no dependency":     {"pkg/flow", []string{"golang.org/x/sys/unix"}, []string{"pkg/flow imports golang.org/x/sys/unix, which is not its to import"}},
		"a test's helper":   {"pkg/api", []string{module + "internal/privtest"}, []string{"pkg/api imports internal/privtest, which does not stand above it"}},
		"a room unheard of": {"pkg/flows", nil, []string{"pkg/flows has no place on the street"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := violations(pkg{tc.pkg, tc.imports})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
