package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"skillet/policy"

	cerrdefs "github.com/containerd/errdefs"
)

// The words are those of engines 20.10 to 28 with runc 1.0 to 1.2, and of crun.
func TestRefusalsAreToldApart(t *testing.T) {
	const runc = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
	for _, c := range []struct {
		engine  string
		reason  StartReason
		code    int
		program string
	}{
		{runc + `exec: "nosuch": executable file not found in $PATH: unknown`, ProgramNotFound, 127, "nosuch"},
		{runc + `exec: "/nosuch": stat /nosuch: no such file or directory: unknown`, ProgramNotFound, 127, "/nosuch"},
		{runc + `error during container init: exec: "nosuch": executable file not found in $PATH`, ProgramNotFound, 127, "nosuch"},
		{"OCI runtime create failed: crun: executable file `nosuch` not found in $PATH: No such file or directory: unknown", ProgramNotFound, 127, "nosuch"},
		{runc + `exec: "/etc/passwd": permission denied: unknown`, ProgramNotExecutable, 126, "/etc/passwd"},
		{runc + `exec: "/etc": is a directory: unknown`, ProgramNotExecutable, 126, "/etc"},
		{"Cannot mkdir: /etc/passwd is not a directory", BadWorkingDir, 125, ""},
		{runc + `error during container init: chdir to cwd ("/root/x") set in config.json failed: permission denied: unknown`, BadWorkingDir, 125, ""},
		{"unable to find user nosuch: no matching entries in passwd file", BadUser, 125, ""},
		{"Unable to find group nosuch: no matching entries in group file", BadUser, 125, ""},
		{`invalid mount config for type "bind": bind source path does not exist: /nosuch`, BadMount, 125, ""},
		{runc + `error during container init: error mounting "/etc" to rootfs at "/etc/passwd": not a directory`, BadMount, 125, ""},
		{"network nosuch not found", BadNetwork, 125, ""},
		{`could not select device driver "" with capabilities: [[gpu]]`, BadDevice, 125, ""},
		{"Minimum memory limit allowed is 6MB", OtherReason, 125, ""},
	} {
		err := newStartError(policy.Container{Skill: "tool", Image: "img"}, errors.New("Error response from daemon: "+c.engine))
		if err.Reason != c.reason || err.ExitCode != c.code || err.Program != c.program {
			t.Errorf("%s:\ngot %q, exit code %d, program %q", c.engine, err.Reason, err.ExitCode, err.Program)
		}
		text := err.Error()
		if !strings.Contains(text, "tool") || !strings.Contains(text, "img") || strings.Contains(text, "Error response") {
			t.Errorf("text %q", text)
		}
	}
}

func TestErrorsRepeatNoVariable(t *testing.T) {
	c := policy.Container{Skill: "tool", Env: []string{"TOKEN=s3cret", "=s3cret2"}}
	for _, variable := range c.Env {
		err := newStartError(c, fmt.Errorf("invalid environment variable: %s: %w", variable, cerrdefs.ErrInvalidArgument))
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("error %q", err)
		}
	}
}

func TestLongRefusalsAreCut(t *testing.T) {
	err := newStartError(policy.Container{}, errors.New(strings.Repeat("ü", 5000)))
	if len(err.Error()) > 1200 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

func TestEngineErrorsSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err     error
		started bool
		want    string
	}{
		{&os.SyscallError{Syscall: "connect", Err: syscall.ENOENT}, false, "Start Docker"},
		{&os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}, false, "Start Docker"},
		{fs.ErrPermission, false, "group docker"},
		{context.DeadlineExceeded, false, "hangs"},
		{errBroken, true, "may or may not have done its work"},
	} {
		err := &EngineError{Address: "unix:///x.sock", Doing: "creating the container", Started: c.started, Err: c.err}
		if text := err.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, "unix:///x.sock") || !errors.Is(err, c.err) {
			t.Errorf("%v: %q", c.err, text)
		}
	}
}

func TestATimeoutAndACancelAreWhatTheStandardLibraryCallsThem(t *testing.T) {
	if err := error(&TimeoutError{Skill: "tool", After: time.Minute}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := error(&CancelledError{Skill: "tool", Err: context.Canceled}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestErrorsNameWhatIsLeftToDo(t *testing.T) {
	unkilled := &UnkilledError{Container: "skillet-tool-1", Err: &TimeoutError{Skill: "tool", After: time.Second}, KillErr: errBroken}
	if text := unkilled.Error(); !strings.Contains(text, "killed after 1s") || !strings.Contains(text, "skillet-tool-1 may still be running") || !errors.Is(unkilled, errBroken) {
		t.Errorf("%q", text)
	}
	left := &LeftoverError{Containers: []string{"a", "b"}, Err: errBroken}
	if text := left.Error(); !strings.Contains(text, "docker rm -f -v a b") || !errors.Is(left, errBroken) {
		t.Errorf("%q", text)
	}
}

func TestAContainersNameIsOneThatTheEngineTakes(t *testing.T) {
	name := containerName("a/b ü.C_9")
	if !strings.HasPrefix(name, "skillet-a-b--.C_9-") || name == containerName("a/b ü.C_9") {
		t.Errorf("%q", name)
	}
}
