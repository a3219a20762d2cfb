package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"skillet/internal/testlog"
)

// listener is a client that notes what it is told of its calls.
type listener struct {
	*server
	mu    sync.Mutex
	heard map[any][]*mcp.ProgressNotificationParams // by token
	times map[any][]time.Time
	over  map[any]bool // calls that were answered
	late  int          // notifications after the answer
}

// listen connects a listener to a skillet that it starts with more flags.
func listen(t *testing.T, config string, flags ...string) *listener {
	t.Helper()
	s := &server{stderr: &testlog.Buffer{}, workdir: t.TempDir()}
	file := filepath.Join(s.workdir, "skills.toml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(skillet, append([]string{"serve", "--config", file, "--workdir", s.workdir}, flags...)...)
	command.Stderr = s.stderr
	return listenTo(t, s, &mcp.CommandTransport{Command: command}, nil)
}

func listenTo(t *testing.T, s *server, transport mcp.Transport, options *mcp.ClientSessionOptions) *listener {
	t.Helper()
	l := &listener{server: s, heard: map[any][]*mcp.ProgressNotificationParams{}, times: map[any][]time.Time{}, over: map[any]bool{}}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, request *mcp.ProgressNotificationClientRequest) { l.note(request.Params) },
	}).Connect(t.Context(), transport, options)
	if err != nil {
		t.Fatalf("connecting: %v\n%s", err, l.stderr)
	}
	l.ClientSession = session
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("closing: %v\n%s", err, l.stderr)
		}
	})
	return l
}

func (l *listener) note(params *mcp.ProgressNotificationParams) {
	l.mu.Lock()
	defer l.mu.Unlock()
	token := params.ProgressToken
	if l.over[token] {
		l.late++
	}
	l.heard[token] = append(l.heard[token], params)
	l.times[token] = append(l.times[token], time.Now())
}

// ask makes a call and returns what was told of it, once that was checked to be what the protocol wants.
func (l *listener) ask(t *testing.T, token, tool string, arguments any) []*mcp.ProgressNotificationParams {
	t.Helper()
	params := &mcp.CallToolParams{Name: tool, Arguments: arguments}
	params.SetProgressToken(token)
	begun := time.Now()
	result, err := l.CallTool(t.Context(), params)
	if err != nil || result.IsError {
		t.Errorf("%s: %v %+v\n%s", token, err, result, l.stderr)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over[token] = true
	all := l.heard[token]
	last := 0.0
	for i, one := range all {
		if one.Progress <= last {
			t.Errorf("%s: %v after %v", token, one.Progress, last)
		}
		last = one.Progress
		if !utf8.ValidString(one.Message) || utf8.RuneCountInString(one.Message) > 200 || strings.ContainsAny(one.Message, "\x1b\r\n") {
			t.Errorf("%s: the message %q", token, one.Message)
		}
		before := begun
		if i > 0 {
			before = l.times[token][i-1]
		}
		if pause := l.times[token][i].Sub(before); pause > 15*time.Second || i > 0 && pause < 300*time.Millisecond {
			t.Errorf("%s: %v between two", token, pause)
		}
	}
	return all
}

func (l *listener) silence(t *testing.T) {
	t.Helper()
	time.Sleep(time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.late > 0 {
		t.Errorf("%d notifications came after the answer", l.late)
	}
}

func messages(all []*mcp.ProgressNotificationParams) string {
	var lines []string
	for _, one := range all {
		lines = append(lines, one.Message)
	}
	return strings.Join(lines, "\n")
}

func TestALongCallTellsThatItLives(t *testing.T) {
	l := listen(t, sh, "--max-concurrent", "1")
	var calls sync.WaitGroup
	calls.Go(func() {
		all := l.ask(t, "loud", "e2e_sh", script(`for i in 1 2 3 4 5; do printf '\033[31mpart %s\033[0m of \377 5\n' $i; sleep 0.4; done; head -c 50000000 /dev/zero | tr '\0' x; sleep 12; echo`))
		if text := messages(all); !strings.Contains(text, ": part 3 of \uFFFD 5") && !strings.Contains(text, ": part 2 of \uFFFD 5") || len(all) < 5 {
			t.Errorf("got %s", text)
		}
	})
	time.Sleep(300 * time.Millisecond)
	calls.Go(func() {
		all := l.ask(t, "queued", "e2e_sh", script("sleep 2"))
		if text := messages(all); !strings.Contains(text, "waiting for a turn, number 1 in the queue") || !strings.HasSuffix(text, "running for 2 s") && !strings.Contains(text, "running for 0 s") {
			t.Errorf("got %s", text)
		}
	})
	calls.Wait()
	if all := l.ask(t, "short", "e2e_sh", script("echo on")); len(all) > 1 {
		t.Errorf("a short call: %s", messages(all))
	}
	l.silence(t)
}

func TestALongCallTellsThatItLivesOverHTTP(t *testing.T) {
	s := serveHTTP(t, sh, nil)
	for _, version := range []string{older, newer} {
		t.Run(version, func(t *testing.T) {
			l := listenTo(t, &server{stderr: s.stderr}, &mcp.StreamableClientTransport{Endpoint: s.url}, &mcp.ClientSessionOptions{ProtocolVersion: version})
			var calls sync.WaitGroup
			for _, name := range []string{"one", "other"} {
				calls.Go(func() {
					all := l.ask(t, name, "e2e_sh", script("for i in 1 2 3 4 5; do echo "+name+" $i; sleep 0.6; done"))
					if text := messages(all); len(all) < 4 || !strings.Contains(text, ": "+name+" 3") && !strings.Contains(text, ": "+name+" 4") {
						t.Errorf("of %s was told: %s", name, text)
					}
				})
			}
			calls.Wait()
			l.silence(t)
		})
	}
}

func TestABuildTellsItsSteps(t *testing.T) {
	image := fmt.Sprintf("skillet-e2e-progress:%d", os.Getpid())
	t.Cleanup(func() { docker(t, "rmi", "-f", image) })
	l := listen(t, "[skills.e2e_built.docker]\nimage = \""+image+"\"\nbuild = \"img\"\ncommand = [\"sleep\", \"1.5\"]\n")
	dir := filepath.Join(l.workdir, "img")
	dockerfile := fmt.Sprintf("FROM debian:bookworm-slim\nRUN sleep 2; echo halfway; sleep 2; echo %d\nRUN sleep 1\n", time.Now().UnixNano())
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		t.Fatal(err)
	}
	text := messages(l.ask(t, "build", "e2e_built", struct{}{}))
	for _, want := range []string{"getting the image, step 2/3, for", ": RUN sleep 2", ": halfway", "step 3/3", "running for 0 s"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing was told of %q:\n%s", want, text)
		}
	}
	l.silence(t)
}

func TestTheProgressOfARealProgramIsFoundInItsOutput(t *testing.T) {
	l := listen(t, `
[skills.e2e_encode]
args = ["-hide_banner", "-nostdin", "-readrate", "0.5", "-i", "{input}", "out.mkv"]
progress = { pattern = 'time=(?<current>[\d:.]+)', total = 'Duration: (?<total>[\d:.]+)' }
parameters.input = { type = "string", format = "path", required = true }
[skills.e2e_encode.docker]
image = "skillet/ffmpeg"
entrypoint = "ffmpeg"
volumes = ["${SKILL_WORKDIR}:/workdir"]
working_dir = "/workdir"
`)
	clip, err := os.ReadFile(filepath.Join(root, "examples/samples/clip.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.workdir, "clip.mp4"), clip, 0o644); err != nil {
		t.Fatal(err)
	}
	all := l.ask(t, "encode", "e2e_encode", map[string]any{"input": "clip.mp4"})
	shares := 0
	for _, one := range all {
		if one.Total == 100 && one.Progress > 10 && one.Progress < 100 && strings.Contains(one.Message, " %, running for ") {
			shares++
		}
	}
	if shares < 3 {
		t.Errorf("%d notifications had a percentage:\n%s", shares, messages(all))
	}
	l.silence(t)
}
