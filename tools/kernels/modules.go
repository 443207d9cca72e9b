package main

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// wanted are the modules that the tests and the scenarios use. What a kernel
// has built in, or is too old or too young to have, is no file and left out: a
// test that misses it says so.
func wanted() []string {
	return []string{
		"veth", "bridge", "sch_fifo", "inet_diag", "tcp_diag",
		"nf_conntrack", "nf_conntrack_netlink", "nf_nat", "nf_tables", "nft_chain_nat",
		"nft_ct", "nft_nat", "nft_masq", "nft_redir", "nft_limit", "nft_numgen", "nft_counter",
		"nft_reject", "nft_reject_inet", "nft_reject_ipv4", "nft_reject_ipv6",
	}
}

// loader puts modules into a folder in the order in which they can be loaded.
type loader struct {
	files map[string]string // of the kernel, by the module's name
	dir   string
	order []string
	done  map[string]bool
}

// copyModules copies the wanted modules, and those that they depend on, into
// dir and returns their files' names in order.
func copyModules(ctx context.Context, k kernel, dir string) ([]string, error) {
	l := loader{files: make(map[string]string), dir: dir, done: make(map[string]bool)}
	err := filepath.WalkDir(k.modules, func(path string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok && err == nil && d.Type().IsRegular() {
			l.files[strings.ReplaceAll(name, "-", "_")] = path
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the modules of %s: %w", k.release, err)
	}
	for _, name := range wanted() {
		if err := l.load(ctx, name); err != nil {
			return nil, fmt.Errorf("copy module %s of %s: %w", name, k.release, err)
		}
	}
	return l.order, nil
}

func (l *loader) load(ctx context.Context, name string) error {
	path, ok := l.files[name]
	if !ok || l.done[name] {
		return nil
	}
	l.done[name] = true
	module, err := readModule(ctx, path)
	if err != nil {
		return err
	}
	needed, err := dependencies(module)
	if err != nil {
		return err
	}
	for _, n := range needed {
		if err := l.load(ctx, n); err != nil {
			return err
		}
	}
	l.order = append(l.order, name+".ko")
	return os.WriteFile(filepath.Join(l.dir, name+".ko"), module, 0o644)
}

func readModule(ctx context.Context, path string) ([]byte, error) {
	if strings.HasSuffix(path, ".xz") {
		return exec.CommandContext(ctx, "busybox", "xzcat", path).Output()
	}
	return os.ReadFile(path)
}

// dependencies reads what a module says of itself.
func dependencies(module []byte) ([]string, error) {
	file, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	section := file.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for entry := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(entry, "depends="); ok && list != "" {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ","), nil
		}
	}
	return nil, nil
}
