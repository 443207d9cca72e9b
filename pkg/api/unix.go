package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// ErrInUse is returned when another agent answers on the socket.
var ErrInUse = errors.New("another agent answers on it")

const socketMode = 0o600

// ListenUnix listens on a unix socket that only its owner may open. Its folder
// must exist: a mistyped path makes none. A socket on which no agent answers any
// more is replaced. A live one is ErrInUse. Anything else at the path is left
// alone. Closing the listener removes the socket file, unless another socket has
// taken its path.
func ListenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := checkSocketPath(path); err != nil {
		return nil, fmt.Errorf("listen on socket: %w", err)
	}
	if folder := filepath.Dir(path); isNoFolder(folder) {
		return nil, fmt.Errorf("listen on socket: there is no folder %s", folder)
	}
	l, err := listenPrivate(ctx, path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	return listenPrivate(ctx, path)
}

// isNoFolder reports whether there is nothing at the path, or no folder.
func isNoFolder(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	}
	return !info.IsDir()
}

// checkSocketPath refuses an empty path and one that begins with @: for both
// the kernel makes an abstract socket, to which every process may connect.
func checkSocketPath(path string) error {
	var longest [len(syscall.RawSockaddrUnix{}.Path) - 1]byte
	switch {
	case path == "":
		return errors.New("the path is empty")
	case path[0] == '@':
		return fmt.Errorf("%s is no path: it would be a socket for everybody", path)
	case len(path) > len(longest):
		return fmt.Errorf("%s is longer than the %d bytes that a socket's path may have", path, len(longest))
	}
	return nil
}

// listenPrivate gives the socket its mode before it has a name, so that no other
// user can connect in between.
func listenPrivate(ctx context.Context, path string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var mode error
		if err := c.Control(func(fd uintptr) { mode = syscall.Fchmod(int(fd), socketMode) }); err != nil {
			return err
		}
		return mode
	}}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on socket: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on socket: %w", err), l.Close())
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // it would go only by its path
	}
	return &socket{Listener: l, path: path, info: info}, nil
}

// socket is a listener that removes its own file.
type socket struct {
	net.Listener
	path   string
	info   os.FileInfo // of the file; its inode is not reused while this listens
	remove sync.Once
}

// Close removes the file and closes the listener.
func (s *socket) Close() error {
	s.remove.Do(func() {
		if info, err := os.Lstat(s.path); err == nil && os.SameFile(info, s.info) {
			_ = os.Remove(s.path) // the next agent finds what cannot be removed stale
		}
	})
	return s.Listener.Close()
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("listen on socket: %w", err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("listen on socket: %s exists and is not a socket", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("listen on socket %s: %w", path, ErrInUse)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("listen on socket: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("replace stale socket: %w", err)
	}
	return nil
}
