package kube

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tcpstuck/tcpstuck/pkg/cluster"
)

// maxFileBytes is the size of the largest file that is read: a reading takes a
// multiple of it in memory. For more records use the API.
const maxFileBytes = 64 << 20

// read brings one reading into the state, unless ctx ends before.
func (f *File) read(ctx context.Context) error {
	f.at, f.info = time.Now(), nil
	objs, err := f.decode(ctx)
	f.took = time.Since(f.at)
	if err != nil {
		err = fmt.Errorf("read cluster state: %w", err)
	}
	if errors.Is(err, errUnfinished) {
		return err
	}
	f.unfinished = unfinished{}
	if err != nil {
		return err
	}
	f.state.Replace(objs, f.at)
	f.state.SetHealth(true, "file "+f.path, f.at)
	f.log.Debug("read cluster state", "file", f.path, "services", len(objs.Services), "slices", len(objs.Slices),
		"pods", len(objs.Pods), "nodes", len(objs.Nodes))
	return nil
}

// decode returns the objects in the file, if the file is complete.
func (f *File) decode(ctx context.Context) (cluster.Objects, error) {
	data, err := f.content()
	if err != nil {
		return cluster.Objects{}, err
	}
	objs, err := decodeUntil(ctx, data, f.parse)
	if err != nil {
		return cluster.Objects{}, fmt.Errorf("file %s: %w", f.path, err)
	}
	if !whole(data) && !f.unfinished.settled(data, f.at) {
		return cluster.Objects{}, fmt.Errorf("file %s: %w", f.path, errUnfinished)
	}
	return objs, nil
}

// decodeUntil calls parse, and returns an error if the context ends first. A
// large file takes seconds, and the YAML parser cannot be stopped: parse then
// runs on, and its result is dropped.
func decodeUntil(ctx context.Context, data []byte, parse func([]byte) (cluster.Objects, error)) (cluster.Objects, error) {
	var objs cluster.Objects
	done := make(chan error, 1)
	go func() {
		var err error
		objs, err = parse(data)
		done <- err
	}()
	select {
	case err := <-done:
		return objs, err
	case <-ctx.Done():
		return cluster.Objects{}, ctx.Err()
	}
}

func (f *File) content() ([]byte, error) {
	info, err := os.Stat(f.path) // before the content: a change in between is read again
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", f.path) // a pipe would block, a device might never end
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than the %d MiB that are read", f.path, maxFileBytes>>20)
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	f.info = info
	return data, nil
}

// moved reports whether the path leads to another file than the one that was
// read, or the file changed. So it finds a symbolic link that was swapped, as
// in a mounted ConfigMap, and changes whose event was missed.
func (f *File) moved() bool {
	info, err := os.Stat(f.path)
	if err != nil || f.info == nil {
		return true
	}
	return !os.SameFile(info, f.info) || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime())
}
