//go:build faults

package faults

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// A client that is killed takes the three streams of its server with it. The tests cannot kill themselves; so a relay stands
// between them and the server, which is this very program in another role, and it is the relay that is killed.

// relayed is the command that starts a server through a relay.
func relayed(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"env", relay + "=1", self}
}

// passOn runs a command and copies its streams.
func passOn(command []string) {
	cmd := exec.Command(command[0], command[1:]...)
	// Not the files themselves: the command would have them, too, and they would outlive this process.
	cmd.Stdin = struct{ io.Reader }{os.Stdin}
	cmd.Stdout = struct{ io.Writer }{os.Stdout}
	cmd.Stderr = struct{ io.Writer }{os.Stderr}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the relay's server:", err)
		os.Exit(1)
	}
}
