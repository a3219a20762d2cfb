package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// server is a running skillet and the client that has started it.
type server struct {
	session *mcp.ClientSession
	process *exec.Cmd
	pid     int
	begun   time.Time // when the process was started
	heard   *heard
	log     *logged
}

// heard is a server's standard output, and when the last bytes of it have come.
type heard struct {
	io.ReadCloser
	last atomic.Pointer[time.Time]
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if n > 0 {
		now := time.Now()
		h.last.Store(&now)
	}
	return n, err
}

// logged is what a server writes to its standard error.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// launch says how to start a server.
type launch struct {
	config string   // the text of skills.toml
	flags  []string // of serve
	engine string   // DOCKER_HOST, "" for the one that all others use
}

// start starts a server in a directory of its own and introduces a client to it.
func (b *bench) start(ctx context.Context, l launch) (*server, error) {
	dir, err := os.MkdirTemp(b.dir, "server-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "skills.toml")
	if err := os.WriteFile(file, []byte(l.config), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command(b.skillet, append([]string{"serve", "--config", file, "--workdir", dir}, l.flags...)...)
	if l.engine != "" {
		cmd.Env = append(cmd.Environ(), "DOCKER_HOST="+l.engine)
	}
	s := &server{process: cmd, log: &logged{}}
	cmd.Stderr = s.log
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return nil, err
	}
	s.heard, s.begun = &heard{ReadCloser: out}, time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.pid = cmd.Process.Pid
	s.session, err = mcp.NewClient(&mcp.Implementation{Name: "bench", Version: "1"}, nil).
		Connect(ctx, &mcp.IOTransport{Reader: s.heard, Writer: in}, nil)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("%s does not serve: %w\n%s", b.skillet, err, s.log)
	}
	return s, nil
}

// close has the server end, which is an error when it leaves something behind. It may be called on nil.
func (s *server) close() error {
	if s == nil {
		return nil
	}
	if err := errors.Join(s.session.Close(), s.process.Wait()); err != nil {
		return fmt.Errorf("a server has not ended well: %w\n%s", err, s.log)
	}
	return nil
}

// call runs the program and returns what it has printed.
func (s *server) call(ctx context.Context) (string, error) {
	result, err := s.session.CallTool(ctx, &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"args": []string{"hi"}}})
	if err != nil {
		return "", err
	}
	if len(result.Content) == 0 {
		return "", errors.New("the result has no content")
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok {
		return "", fmt.Errorf("the result begins with a %T", result.Content[0])
	}
	if result.IsError {
		return "", errors.New(text.Text)
	}
	return text.Text, nil
}

// echoSkill is a skills.toml with the program that all variants run.
func (b *bench) echoSkill(warm string) string {
	if _, err := strconv.Atoi(warm); err != nil {
		warm = strconv.Quote(warm)
	}
	return fmt.Sprintf("[skills.echo]\nwarm = %s\n\n[skills.echo.docker]\nimage = %q\nentrypoint = \"echo\"\n", warm, b.image)
}

// manySkills is a skills.toml with several skills, each with a handful of parameters.
func (b *bench) manySkills(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, `
[skills.tool%[1]d]
description = "The tool of number %[1]d: converts its input into a format of your choice"
args = ["-y", ["-ss", "{start}"], { when = "quiet", args = ["-q"] }, "--width={width}", "--mode={mode}", "{input}"]
warm = 0

[skills.tool%[1]d.docker]
image = %[2]q
entrypoint = "echo"
volumes = ["${SKILL_WORKDIR}:/workdir"]
working_dir = "/workdir"
memory = "512m"

[skills.tool%[1]d.parameters]
input = { type = "string", format = "path", required = true, description = "The file to read" }
start = { type = "string", pattern = "^[0-9:.]+$", description = "Where to begin" }
width = { type = "integer", minimum = 1, maximum = 10000, default = 640 }
quiet = { type = "boolean" }
mode = { type = "string", enum = ["fast", "slow"], default = "fast", description = "How to work" }
`, i, b.image)
	}
	return text.String()
}
