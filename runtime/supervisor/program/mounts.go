//go:build linux

package main

import (
	"os"
	"strings"
	"syscall"

	"skillet/runtime/supervisor/wire"
)

// wrongMount looks at what is mounted before anything runs that could change it, and returns the first path where it is not what
// was ordered; "" when there is none. The engine looks a path up anew when it mounts, and somebody may have put something else in
// its place since it was judged.
func wrongMount(order wire.OrderFrame) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || strings.TrimSpace(string(boot)) != order.Boot {
		return "" // another machine's kernel, or a virtual one
	}
	for _, m := range order.Mounts {
		var stat syscall.Stat_t
		if syscall.Stat(m.Target, &stat) != nil || stat.Dev != m.Device || stat.Ino != m.Inode {
			return m.Target
		}
	}
	return ""
}
