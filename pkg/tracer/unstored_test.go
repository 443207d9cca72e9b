package tracer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpstuck/tcpstuck/internal/nettest"
	"github.com/tcpstuck/tcpstuck/pkg/flow"
)

// md5sig is struct tcp_md5sig, with an IPv4 address.
type md5sig struct {
	family   uint16
	_        uint16 // port
	addr     [4]byte
	_        [120]byte
	flags    uint8
	prefix   uint8
	keyBytes uint16
	ifindex  int32
	key      [80]byte
}

// stuffed returns a client whose options have used all the memory that a socket
// has for them (net.core.optmem_max).
func stuffed(t *testing.T) (client, server *net.TCPConn, port int) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var full error
		err := c.Control(func(fd uintptr) { full = stuff(int(fd)) })
		return errors.Join(err, full)
	}}
	dialed, err := dialer.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dialed.Close(); _ = accepted.Close() })
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn), listener.Addr().(*net.TCPAddr).Port
}

func stuff(fd int) error {
	const most = 5000
	for n := range uint32(most) {
		sig := md5sig{family: unix.AF_INET, keyBytes: 4, addr: [4]byte{172, 16}}
		binary.BigEndian.PutUint16(sig.addr[2:], uint16(n))
		raw := unsafe.Slice((*byte)(unsafe.Pointer(&sig)), unsafe.Sizeof(sig))
		switch err := unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, string(raw)); {
		case errors.Is(err, unix.ENOMEM):
			return nil
		case err != nil:
			return err
		}
	}
	return errors.New("there is always room for another key")
}

func lost(t *testing.T, tr *Tracer) uint64 {
	t.Helper()
	signs, err := tr.Signs()
	if err != nil {
		t.Fatal(err)
	}
	return signs.Lost
}

// scannedFor makes a file scan and returns the reading that it sends of a flow.
func scannedFor(t *testing.T, tr *Tracer, id flow.ID) flow.Socket {
	t.Helper()
	if _, err := tr.ScanFiles(); err != nil {
		t.Fatal(err)
	}
	s := next(t, tr).Suspect
	if s == nil || s.ID != id || !s.Unstored {
		t.Fatalf("a file scan shows %+v", s)
	}
	return *s
}

// TestASocketWithoutRoomForStorage: 963 keys for TCP_MD5SIG, which any user may
// set, leave no room for an episode.
func TestASocketWithoutRoomForStorage(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, server, port := stuffed(t)
	wall := nettest.NewWall(t)
	wall.Drop(port)
	if _, err := client.Write([]byte("request")); err != nil {
		t.Fatal(err)
	}
	id := cookie(t, client)
	if s := next(t, tr).Suspect; s == nil || s.ID != id || !s.Unstored || !s.Live {
		t.Fatalf("its first timeout is shown as %+v", s)
	}
	first := scannedFor(t, tr, id)
	if first.PID == 0 || !first.Live || first.Unacknowledged != 7 {
		t.Errorf("a pass shows it without its owner, or as what it is not: %+v", first)
	}
	for s := first; s.Timeouts < first.Timeouts+2; s = scannedFor(t, tr, id) {
		time.Sleep(50 * time.Millisecond) // its timer's
	}
	if n := lost(t, tr); n != 0 {
		t.Errorf("%d records count as lost: each timeout forces a whole snapshot", n)
	}
	wall.Open()
	if _, err := server.Read(make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	s := scannedFor(t, tr, id)
	for ; s.Live; s = scannedFor(t, tr, id) {
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := tr.ScanFiles(); err != nil || len(tr.Records()) > 0 {
		t.Errorf("its recovery is shown twice, %v", err)
	}
}

// TestOneOwnersSocketsWithoutRoomLeavePlaces: any user can have thousands of them.
func TestOneOwnersSocketsWithoutRoomLeavePlaces(t *testing.T) {
	const places, sockets = 20, 6
	inum := nettest.Loopback(t)
	tr := open(t, Options{Scope: []uint32{inum, 1, 2, 3, 4}, Unstored: places}) // more than four: others may come later
	run(t, tr)
	hang := func(t *testing.T, n int) map[flow.ID]bool {
		ids, wall := map[flow.ID]bool{}, nettest.NewWall(t)
		for range n {
			client, _, port := stuffed(t)
			wall.Drop(port)
			if _, err := client.Write([]byte("request")); err != nil {
				t.Fatal(err)
			}
			ids[cookie(t, client)] = true
		}
		return ids
	}
	greedy := hang(t, sockets)
	for deadline := time.Now().Add(patience); unwatched(t, tr) < sockets-places/5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d sockets were not taken, want %d", unwatched(t, tr), sockets, sockets-places/5)
		}
	}
	for range places / 5 {
		if s := next(t, tr).Suspect; s == nil || !greedy[s.ID] {
			t.Errorf("shown is %+v, want one of the first", s)
		}
	}
	t.Run("neighbour", func(t *testing.T) {
		if err := tr.objects.Maps[tcpstuckMapScope].Put(nettest.Loopback(t), uint8(1)); err != nil {
			t.Fatal(err)
		}
		its := hang(t, 1)
		if s := next(t, tr).Suspect; s == nil || !its[s.ID] {
			t.Errorf("shown is %+v, want the neighbour's", s)
		}
	})
}

// hangInNamespaces is how many namespaces a restarted test binary inherits. A socket without
// room for storage hangs in each until standard input ends.
const hangInNamespaces = "TCPSTUCK_TEST_HANG_IN_NAMESPACES"

// TestACgroupsSocketsWithoutRoomLeavePlaces: it has one such socket in each of many namespaces.
func TestACgroupsSocketsWithoutRoomLeavePlaces(t *testing.T) {
	const places, sockets = 10, 8
	cgroup := newCgroup(t)
	namespaces, scope := manyNamespaces(t, sockets)
	tr := open(t, Options{Scope: scope, Unstored: places})
	run(t, tr)
	greedy := exec.Command(os.Args[0], "-test.run=^TestHelperHangsInNamespaces$")
	greedy.Env = append(os.Environ(), fmt.Sprint(hangInNamespaces, "=", len(namespaces)))
	greedy.ExtraFiles = namespaces
	greedy.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	more, err := greedy.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := greedy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = more.Close()
		if err := greedy.Wait(); err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(patience); unwatched(t, tr) < sockets-places/2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d sockets were left out, want %d", unwatched(t, tr), sockets, sockets-places/2)
		}
	}
	if _, all := placesOf(t, tr); all != places/2 {
		t.Errorf("the cgroup has %d places, want half of %d", all, places)
	}
}

// TestHelperHangsInNamespaces is no test: it is what the one above starts.
func TestHelperHangsInNamespaces(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(hangInNamespaces))
	if err != nil {
		return // TestACgroupsSocketsWithoutRoomLeavePlaces runs it
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	for fd := 3; fd < 3+n; fd++ {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			t.Fatal(err)
		}
		client, _, port := stuffed(t)
		nettest.NewWall(t).Drop(port)
		if _, err := client.Write([]byte("request")); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func unwatched(t *testing.T, tr *Tracer) int {
	t.Helper()
	signs, err := tr.Signs()
	if err != nil {
		t.Fatal(err)
	}
	return int(signs.Unwatched)
}

// TestTheEndOfASocketWithoutRoomForStorage: nothing died with it but a suspicion.
func TestTheEndOfASocketWithoutRoomForStorage(t *testing.T) {
	t.Parallel()
	tr := watch(t, nettest.Loopback(t))
	client, _, port := stuffed(t)
	nettest.NewWall(t).Drop(port)
	userTimeout(t, client, 900*time.Millisecond)
	if _, err := client.Write([]byte("request")); err != nil {
		t.Fatal(err)
	}
	id := cookie(t, client)
	if s := next(t, tr).Suspect; s == nil || s.ID != id {
		t.Fatalf("its first timeout is shown as %+v", s)
	}
	end := next(t, tr).End
	if end == nil || end.ID != id || end.Err != int(syscall.ETIMEDOUT) || end.Timeouts == 0 {
		t.Fatalf("its end is shown as %+v", end)
	}
	var left int
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		left = 0
		var key uint64
		var value []byte
		for i := tr.objects.Maps[tcpstuckMapUnstored].Iterate(); i.Next(&key, &value); {
			left++
		}
		if owners, all := placesOf(t, tr); left == 0 && owners == 0 && all == 0 {
			return
		}
	}
	t.Errorf("%d episodes of sockets that are gone are kept", left)
}

func placesOf(t *testing.T, tr *Tracer) (owners int, all int64) {
	t.Helper()
	var key, value []byte
	for i := tr.objects.Maps[tcpstuckMapUnstoredOf].Iterate(); i.Next(&key, &value); {
		owners++
	}
	if err := tr.objects.Variables[tcpstuckVarUnstoredAll].Get(&all); err != nil {
		t.Fatal(err)
	}
	return owners, all
}
