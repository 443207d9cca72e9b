package image_test

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpstuck/tcpstuck/internal/privileges"
)

// built is where make image puts the archives.
const built = "../../../bin/image"

// config is what an image says of itself.
type config struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		User       string
		Env        []string
		Entrypoint []string
	} `json:"config"`
}

// entry is a file of an image.
type entry struct {
	header  *tar.Header
	content []byte
}

// open reads an archive: the image's name and configuration, and its files by
// path.
func open(t *testing.T, archive string) (string, config, map[string]entry) {
	t.Helper()
	parts := untar(t, must[[]byte](t)(os.ReadFile(filepath.Join(built, archive))))
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	decode(t, parts["manifest.json"].content, &manifest)
	if len(manifest) != 1 || len(manifest[0].RepoTags) != 1 {
		t.Fatalf("%s: %+v", archive, manifest)
	}
	var c config
	decode(t, parts[manifest[0].Config].content, &c)
	files := make(map[string]entry)
	for _, layer := range manifest[0].Layers {
		maps.Copy(files, untar(t, parts[layer].content))
	}
	return manifest[0].RepoTags[0], c, files
}

func untar(t *testing.T, archive []byte) map[string]entry {
	t.Helper()
	files := make(map[string]entry)
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(header.Name, "/")] = entry{header, must[[]byte](t)(io.ReadAll(reader))}
	}
}

func decode(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestImages(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		for image, want := range map[string]struct {
			entrypoint string
			files      []string
		}{
			"tcpstuck":      {"/usr/bin/tcpstuck-agent", []string{"run", "run/tcpstuck", "usr", "usr/bin", "usr/bin/tcpstuck", "usr/bin/tcpstuck-agent"}},
			"tcpstuck-echo": {"/usr/bin/echo", []string{"usr", "usr/bin", "usr/bin/echo"}},
		} {
			t.Run(image+"-"+arch, func(t *testing.T) {
				name, c, files := open(t, image+"-"+arch+".tar")
				if !strings.HasPrefix(name, "localhost/"+image+":") || c.Architecture != arch || c.OS != "linux" || c.Config.User != "65534:65534" ||
					!slices.Equal(c.Config.Entrypoint, []string{want.entrypoint}) {
					t.Errorf("%s: %+v", name, c)
				}
				if diff := cmp.Diff(want.files, slices.Sorted(maps.Keys(files))); diff != "" {
					t.Errorf("files: -want +got\n%s", diff)
				}
				for path, f := range files {
					if strings.HasPrefix(path, "usr/bin/") {
						static(t, path, f.content, machine)
					}
				}
			})
		}
	}
}

// static fails unless a program is for the machine and needs no other file.
func static(t *testing.T, path string, content []byte, machine elf.Machine) {
	t.Helper()
	program, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	libraries, err := program.ImportedLibraries()
	if program.Machine != machine || len(libraries) > 0 || err != nil ||
		slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Errorf("%s: for %v, needs %v, %v", path, program.Machine, libraries, err)
	}
}

// capabilityXattr is how an archive carries a file's capabilities.
const capabilityXattr = "SCHILY.xattr.security.capability"

// TestOnlyTheAgentHasCapabilities compares those in the images with the list
// of all that the agent may do.
func TestOnlyTheAgentHasCapabilities(t *testing.T) {
	list := must[privileges.List](t)(privileges.Read("../../../deploy/privileges.txt"))
	for _, archive := range must[[]string](t)(filepath.Glob(built + "/tcpstuck-*.tar")) {
		_, _, files := open(t, filepath.Base(archive))
		got := make(map[string]string)
		for path, f := range files {
			if f.header.Mode&0o6000 != 0 {
				t.Errorf("%s: %s runs as somebody else", archive, path)
			}
			if value, ok := f.header.PAXRecords[capabilityXattr]; ok {
				got[path] = fmt.Sprintf("%x", value)
			}
		}
		want := map[string]string{"usr/bin/tcpstuck-agent": encode(t, list.Capabilities)}
		if strings.Contains(archive, "echo") {
			want = map[string]string{}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", archive, diff)
		}
	}
}

// encode returns capabilities as the kernel stores those of a file (struct
// vfs_cap_data, revision 2): permitted, and raised by
// the program itself, so that it can name one that it was not granted. In
// hexadecimal.
func encode(t *testing.T, names []string) string {
	t.Helper()
	numbers := map[string]uint{"NET_ADMIN": 12, "PERFMON": 38, "BPF": 39}
	var permitted uint64
	for _, name := range names {
		number, ok := numbers[name]
		if !ok {
			t.Fatalf("the number of CAP_%s is not known here", name)
		}
		permitted |= 1 << number
	}
	word := func(w uint32) string {
		return fmt.Sprintf("%02x%02x%02x%02x", byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return word(0x02000000) + word(uint32(permitted)) + word(0) + word(uint32(permitted>>32)) + word(0)
}
