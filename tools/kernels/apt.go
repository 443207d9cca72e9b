package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// listsAge is how long package lists are good.
const listsAge = 12 * time.Hour

// apt asks Debian's archive, with package lists of its own: those of the
// machine are neither needed nor touched.
type apt struct{ options []string }

// openApt brings the lists of a source up to date.
func openApt(ctx context.Context, cache string, s source) (apt, error) {
	cache, err := filepath.Abs(cache)
	if err != nil {
		return apt{}, err
	}
	dir := filepath.Join(cache, "apt", s.suite)
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return apt{}, err
		}
	}
	list := filepath.Join(dir, "sources.list")
	a := apt{options: []string{
		"-qq", "-o", "Dir::Etc::sourcelist=" + list, "-o", "Dir::Etc::sourceparts=-", "-o", "Dir::State::Lists=" + dir + "/lists",
		"-o", "Dir::Cache=" + dir + "/cache", "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root",
	}}
	fresh := filepath.Join(dir, "updated")
	if st, err := os.Stat(fresh); err == nil && time.Since(st.ModTime()) < listsAge {
		return a, nil
	}
	address, err := archive(ctx, s.archive)
	if err != nil {
		return apt{}, err
	}
	if err := os.WriteFile(list, fmt.Appendf(nil, "deb [arch=amd64] %s %s main\n", address, s.suite), 0o644); err != nil {
		return apt{}, err
	}
	if _, err := a.run(ctx, dir, "apt-get", "update", "--error-on=any"); err != nil {
		return apt{}, err
	}
	return a, os.WriteFile(fresh, nil, 0o644)
}

// archive returns the address of Debian's archive, or of its security archive,
// that this machine is set up with.
func archive(ctx context.Context, name string) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return "", fmt.Errorf("list the machine's package archives: %w", err)
	}
	for address := range strings.FieldsSeq(string(out)) {
		if strings.HasSuffix(strings.TrimRight(address, "/"), "/"+name) {
			return address, nil
		}
	}
	return "", fmt.Errorf("the machine's package sources have no archive %s", name)
}

// packages returns the names of all kernel packages.
func (a apt) packages(ctx context.Context) ([]string, error) {
	out, err := a.run(ctx, "", "apt-cache", "pkgnames", "linux-")
	return strings.Fields(out), err
}

// download puts packages into a folder and returns their files.
func (a apt) download(ctx context.Context, dir string, packages []string) ([]string, error) {
	if _, err := a.run(ctx, dir, "apt-get", append([]string{"download"}, packages...)...); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(dir, "*.deb"))
}

func (a apt) run(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, append(a.options, args...)...)
	cmd.Dir = dir
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, args[0], err, complaint.String())
	}
	return string(out), nil
}
