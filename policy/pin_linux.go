package policy

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// pin opens what is at a path that has no symlink in it, and tells which file that is. A path in which somebody has put a symlink
// since it was made canonical is refused (openat2(2), RESOLVE_NO_SYMLINKS). The file itself is not opened for anything.
func pin(path string) (os.FileInfo, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // older kernels, and profiles that do not know it
		return os.Lstat(path)
	}
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	return file.Stat()
}
