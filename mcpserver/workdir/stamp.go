package workdir

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Stamp tells one state of a file from another, without its content.
type Stamp struct {
	size     int64
	modified time.Time
	inode    uint64 // 0 where the system has none
}

// StampOf returns the stamp of a file, be it looked at or open.
func StampOf(info fs.FileInfo) Stamp {
	return Stamp{size: info.Size(), modified: info.ModTime(), inode: inode(info)}
}

// Same reports whether the file is as it was.
func (s Stamp) Same(other Stamp) bool {
	return s.size == other.size && s.inode == other.inode && s.modified.Equal(other.modified)
}

// Open opens a regular file below a directory to read it. A program in a container can leave anything under a name, such
// as a symlink to a file of the host, or a pipe that would be waited for: the file is opened below the directory only, and
// it is what is open that is looked at.
func Open(root *os.Root, path string) (*os.File, fs.FileInfo, error) {
	opened, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := opened.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		opened.Close()
		return nil, nil, err
	}
	return opened, info, nil
}
