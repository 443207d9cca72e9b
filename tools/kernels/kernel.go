package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// source says where Debian keeps a series of kernels: the cloud flavour, which
// is small and has all that the tests need.
type source struct {
	name    string
	archive string // the last part of the archive's address
	suite   string
	release string // of its packages, as a regular expression
}

func sources() []source {
	return []source{
		{"5.10", "debian-security", "bullseye-security", `5\.10\.0-\d+-cloud-amd64`},
		{"6.1", "debian-security", "bookworm-security", `6\.1\.0-\d+-cloud-amd64`},
		{"6.12", "debian-security", "bookworm-security", `6\.12\.\d+\+deb12-cloud-amd64`},
		{"newest", "debian", "trixie-backports", `[\d.]+\+deb13-cloud-amd64`},
	}
}

func known() string {
	var names []string
	for _, s := range sources() {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// kernel is one that is ready to be booted.
type kernel struct {
	name    string // as it was asked for
	release string // as uname prints it
	image   string
	modules string // the folder that holds the modules, in folders of their own
}

// fetch finds the newest kernel of a series and unpacks it into the cache,
// unless it is there.
func fetch(ctx context.Context, cache, name string) (kernel, error) {
	i := slices.IndexFunc(sources(), func(s source) bool { return s.name == name })
	if i < 0 {
		return kernel{}, fmt.Errorf("no kernel %q; there are %s", name, known())
	}
	a, err := openApt(ctx, cache, sources()[i])
	if err != nil {
		return kernel{}, fmt.Errorf("find kernel %s: %w", name, err)
	}
	release, packages, err := newest(ctx, a, sources()[i])
	if err != nil {
		return kernel{}, fmt.Errorf("find kernel %s: %w", name, err)
	}
	dir := filepath.Join(cache, release)
	if !exists(dir) {
		if err := unpack(ctx, a, packages, dir); err != nil {
			return kernel{}, fmt.Errorf("fetch kernel %s: %w", release, err)
		}
	}
	for _, image := range []string{"boot/vmlinuz-" + release, "usr/lib/modules/" + release + "/vmlinuz"} {
		if image = filepath.Join(dir, image); exists(image) {
			return kernel{name: name, release: release, image: image, modules: dir}, nil
		}
	}
	return kernel{}, fmt.Errorf("the packages of kernel %s have no image", release)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// newest returns the newest release of a series and the packages it is in:
// one, or from 6.19 on three, of which the first is empty.
func newest(ctx context.Context, a apt, s source) (release string, packages []string, err error) {
	all, err := a.packages(ctx)
	if err != nil {
		return "", nil, err
	}
	image := regexp.MustCompile(`^linux-image-(` + s.release + `)$`)
	for _, p := range all {
		if m := image.FindStringSubmatch(p); m != nil && (release == "" || older(release, m[1])) {
			release = m[1]
		}
	}
	if release == "" {
		return "", nil, errors.New("the archive has none")
	}
	for _, kind := range []string{"linux-image-", "linux-binary-", "linux-modules-"} {
		if slices.Contains(all, kind+release) {
			packages = append(packages, kind+release)
		}
	}
	return release, packages, nil
}

// older compares two releases number by number.
func older(a, b string) bool { return slices.Compare(numbers(a), numbers(b)) < 0 }

func numbers(release string) []int {
	var all []int
	for _, digits := range regexp.MustCompile(`\d+`).FindAllString(release, -1) {
		n, _ := strconv.Atoi(digits)
		all = append(all, n)
	}
	return all
}

// unpack fills a folder with packages, in one step: a folder that is there is
// whole.
func unpack(ctx context.Context, a apt, packages []string, dir string) error {
	work, err := os.MkdirTemp(filepath.Dir(dir), "unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	files, err := a.download(ctx, work, packages)
	if err != nil {
		return err
	}
	root := filepath.Join(work, "root")
	for _, deb := range files {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", deb, root).CombinedOutput(); err != nil {
			return fmt.Errorf("unpack %s: %w: %s", deb, err, out)
		}
	}
	err = os.Rename(root, dir)
	if exists(dir) {
		return nil // another run was faster
	}
	return err
}
