package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A type with behaviour is one that a reader can keep in mind. It has a method with
// a pointer receiver; a plain record of values has none, beside those by which it is
// read from JSON and written. A record may have many fields. No type has many methods.
const (
	mostFields  = 15
	mostMethods = 25
)

// structType is a type of the module, its tests left out.
type structType struct {
	name      string // its package's folder, a dot, its own name
	fields    int    // an embedded one counts as one; those of a struct without a name count
	methods   int    // of an interface: those that it demands
	behaviour bool   // a method has a pointer receiver
	of        string // the type of the same package that it is declared as; empty: none
}

func TestTypesStaySmall(t *testing.T) {
	types, err := structTypes("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(types) < 100 {
		t.Fatalf("the module has only %d struct types", len(types))
	}
	for _, s := range types {
		if why := tooLarge(s); why != "" {
			t.Error(why)
		}
	}
}

// tooLarge says, in a sentence, in what a type is too large; empty: it is not.
func tooLarge(s structType) string {
	switch {
	case s.behaviour && s.fields > mostFields:
		return fmt.Sprintf("%s has %d fields, at most %d are allowed: give it parts", s.name, s.fields, mostFields)
	case s.methods > mostMethods:
		return fmt.Sprintf("%s has %d methods, at most %d are allowed: give it parts", s.name, s.methods, mostMethods)
	}
	return ""
}

// structTypes returns the struct types of the module at root.
func structTypes(root string) ([]structType, error) {
	files := make(map[string][]*ast.File) // by folder
	err := sources(root, parser.SkipObjectResolution, func(folder string, file *ast.File) {
		files[folder] = append(files[folder], file)
	})
	if err != nil {
		return nil, fmt.Errorf("read the module's types: %w", err)
	}
	var all []structType
	for _, folder := range slices.Sorted(maps.Keys(files)) {
		all = append(all, structsOf(folder, files[folder])...)
	}
	return all, nil
}

// structsOf returns the struct types of one package.
func structsOf(folder string, files []*ast.File) []structType {
	found := make(map[string]*structType)
	for _, file := range files {
		for name, t := range typesIn(file) {
			// A type that is written once for each system counts at its largest.
			if known := found[name]; known == nil || known.fields < t.fields {
				t.name = folder + "." + name
				found[name] = &t
			}
		}
	}
	for _, t := range found {
		if as := found[t.of]; as != nil {
			t.fields = as.fields
		}
	}
	for _, file := range files {
		for _, d := range file.Decls {
			method, ok := d.(*ast.FuncDecl)
			if !ok || method.Recv == nil {
				continue
			}
			name, pointer := receiver(method.Recv.List[0].Type)
			if s := found[name]; s != nil {
				s.methods++
				s.behaviour = s.behaviour || pointer && !slices.Contains(forJSON, method.Name.Name)
			}
		}
	}
	var all []structType
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, *found[name])
	}
	return all
}

// forJSON are the methods that say nothing but how a record stands in JSON.
var forJSON = []string{"AppendJSON", "ReadJSON", "UnmarshalJSON"}

// typesIn returns the types that a file declares.
func typesIn(file *ast.File) map[string]structType {
	found := make(map[string]structType)
	for _, d := range file.Decls {
		general, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			declared, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			var t structType
			switch as := declared.Type.(type) {
			case *ast.StructType:
				t.fields = fieldsOf(as)
			case *ast.InterfaceType:
				t.methods = as.Methods.NumFields()
			case *ast.Ident:
				t.of = as.Name
			}
			found[declared.Name.Name] = t
		}
	}
	return found
}

// fieldsOf counts the fields of a struct, and of the structs without a name in it.
func fieldsOf(s *ast.StructType) int {
	n := s.Fields.NumFields()
	for _, f := range s.Fields.List {
		if inner, ok := f.Type.(*ast.StructType); ok {
			n += fieldsOf(inner) * max(len(f.Names), 1)
		}
	}
	return n
}

// receiver returns the type that a method belongs to, and whether its receiver
// is a pointer.
func receiver(of ast.Expr) (name string, pointer bool) {
	if star, ok := of.(*ast.StarExpr); ok {
		of, pointer = star.X, true
	}
	switch generic := of.(type) {
	case *ast.IndexExpr:
		of = generic.X
	case *ast.IndexListExpr:
		of = generic.X
	}
	if ident, ok := of.(*ast.Ident); ok {
		return ident.Name, pointer
	}
	return "", pointer
}

func TestTooLarge(t *testing.T) {
	lines := func(n int, format string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return strings.Join(all, "\n")
	}
	fields := func(n int) string { return "type Type struct {\n" + lines(n, "f%d int") + "\n}\n" }
	for name, tc := range map[string]struct {
		source string
		want   string
	}{
		"at both limits":   {fields(mostFields) + lines(mostMethods, "func (t *Type) m%d() {}"), ""},
		"a field more":     {fields(16) + "func (t *Type) m() {}", "pkg/x.Type has 16 fields, at most 15 are allowed: give it parts"},
		"a method more":    {fields(1) + lines(26, "func (t *Type) m%d() {}"), "pkg/x.Type has 26 methods, at most 25 are allowed: give it parts"},
		"fields in a row":  {"type Type struct{ " + strings.Repeat("a, b, ", 7) + "c, d int }\nfunc (*Type) m() {}", "pkg/x.Type has 16 fields, at most 15 are allowed: give it parts"},
		"embedded":         {"type Type struct { other\n" + lines(15, "f%d int") + "}\nfunc (*Type) m() {}", "pkg/x.Type has 16 fields, at most 15 are allowed: give it parts"},
		"one parameter":    {strings.Replace(fields(16), "Type", "Type[K any]", 1) + "func (t *Type[K]) m() {}", "pkg/x.Type has 16 fields, at most 15 are allowed: give it parts"},
		"two parameters":   {strings.Replace(fields(16), "Type", "Type[K, V any]", 1) + "func (t *Type[K, V]) m() {}", "pkg/x.Type has 16 fields, at most 15 are allowed: give it parts"},
		"one by value":     {fields(16) + "func (t *Type) set() {}\nfunc (t Type) get() {}", "pkg/x.Type has 16 fields, at most 15 are allowed: give it parts"},
		"a record":         {fields(40) + lines(3, "func (t Type) m%d() {}"), ""},
		"a record in JSON": {fields(40) + "func (t *Type) UnmarshalJSON() {}", ""},
		"methods by value": {fields(1) + lines(26, "func (t Type) m%d() {}"), "pkg/x.Type has 26 methods, at most 25 are allowed: give it parts"},
		"no struct":        {"type Type []int\n" + lines(26, "func (t *Type) m%d() {}"), "pkg/x.Type has 26 methods, at most 25 are allowed: give it parts"},
		"an interface":     {"type Type interface {\n" + lines(26, "m%d()") + "\n}", "pkg/x.Type has 26 methods, at most 25 are allowed: give it parts"},
		"declared as":      {"type Type other\ntype other struct {\n" + lines(16, "f%d int") + "\n}\nfunc (*Type) m() {}", "pkg/x.Type has 16 fields, at most 15 are allowed: give it parts"},
		"a struct in it":   {"type Type struct { in struct {\n" + lines(15, "f%d int") + "\n}}\nfunc (*Type) m() {}", "pkg/x.Type has 16 fields, at most 15 are allowed: give it parts"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+tc.source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			for _, s := range structsOf("pkg/x", []*ast.File{file}) {
				got += tooLarge(s)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
