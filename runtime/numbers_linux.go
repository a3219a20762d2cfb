package runtime

import (
	"os"
	"syscall"
)

// fileNumbers are the device and the inode of a file, as programs of this kernel see them.
func fileNumbers(info os.FileInfo) (device, inode uint64, ok bool) {
	if info == nil {
		return 0, 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return uint64(stat.Dev), stat.Ino, true
}
