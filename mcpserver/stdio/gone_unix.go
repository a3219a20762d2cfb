//go:build unix

package stdio

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// readerGone tells that nobody can ever read what is written to a pipe or socket: its other end is closed (poll(2),
// POLLERR for a pipe and POLLHUP for a socket). It is false where that cannot be told.
func readerGone(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	connection, err := file.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	_ = connection.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd)}}
		if n, err := unix.Poll(poll, 0); err == nil && n == 1 {
			gone = poll[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
		}
	})
	return gone
}
