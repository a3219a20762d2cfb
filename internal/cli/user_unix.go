//go:build unix

package cli

import (
	"fmt"
	"os"
	"syscall"
)

// defaultUser returns the "uid:gid" that skills without a user of their own run as, so that the files they make belong to
// who works with them: the caller when that is an ordinary user, else the owner of the working directory, else "" for
// the image's own.
func defaultUser(workdir string) string {
	if uid := os.Getuid(); uid != 0 {
		return fmt.Sprintf("%d:%d", uid, os.Getgid())
	}
	info, err := os.Stat(workdir)
	if err != nil {
		return ""
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return ""
	}
	return fmt.Sprintf("%d:%d", owner.Uid, owner.Gid)
}
