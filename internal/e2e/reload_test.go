package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"skillet/internal/testlog"
)

// shop is a skillet whose files are in a directory of their own, and a client that counts the news of a changed list.
type shop struct {
	*server
	dir  string
	news atomic.Int32
}

func openShop(t *testing.T, files map[string]string, flags ...string) *shop {
	t.Helper()
	s := &shop{dir: t.TempDir(), server: &server{stderr: &testlog.Buffer{}, workdir: t.TempDir()}}
	for name, text := range files {
		s.write(t, name, text)
	}
	args := append([]string{"serve", "--config", filepath.Join(s.dir, "skills.toml"), "--workdir", s.workdir}, flags...)
	command := exec.Command(skillet, args...)
	command.Stderr = s.stderr
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { s.news.Add(1) },
	})
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: command}, nil)
	if err != nil {
		t.Fatalf("connecting: %v\n%s", err, s.stderr)
	}
	s.ClientSession, s.process = session, command.Process
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("closing: %v\n%s", err, s.stderr)
		}
		if left := docker(t, "ps", "-aq", "--filter", fmt.Sprintf("label=skillet.pid=%d", s.process.Pid)); left != "" {
			t.Errorf("containers were left behind: %s", left)
		}
	})
	return s
}

func (s *shop) write(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) tools(t *testing.T) []string {
	t.Helper()
	list, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names
}

func (s *shop) awaitTools(t *testing.T, names ...string) {
	t.Helper()
	waitFor(t, "the tools "+strings.Join(names, " "), func() bool { return slices.Equal(s.tools(t), names) })
}

func (s *shop) awaitLog(t *testing.T, want string) {
	t.Helper()
	waitFor(t, "the log to have "+want, func() bool { return strings.Contains(s.stderr.String(), want) })
}

func named(name string) string { return strings.Replace(sh, "e2e_sh", name, 2) }

func TestAChangeOfTheSkillsReplacesTheToolsAtOnce(t *testing.T) {
	s := openShop(t, map[string]string{"skills.toml": sh}, "--max-concurrent", "1")
	running, queued := make(chan string, 1), make(chan string, 1)
	call := func(into chan string, text string) {
		result, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "e2e_sh", Arguments: script(text)})
		if err != nil {
			into <- err.Error()
			return
		}
		into <- texts(result)
	}
	go call(running, "touch started; until test -e go; do sleep 0.05; done; echo $MARK old")
	waitFor(t, "the program to start", func() bool { return exists(filepath.Join(s.workdir, "started")) })
	go call(queued, "echo $MARK old")
	time.Sleep(200 * time.Millisecond) // it is queued

	marked := strings.Replace(sh, `memory = "64m"`, "memory = \"64m\"\nenvironment = [\"MARK=new\"]", 1)
	s.write(t, "skills.toml", named("e2e_other")+marked)
	s.awaitTools(t, "e2e_other", "e2e_sh")
	if err := os.WriteFile(filepath.Join(s.workdir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if a, b := <-running, <-queued; a != "old\n" || b != "old\n" {
		t.Errorf("under the old plan: %q and %q", a, b)
	}
	if got := texts(s.call(t, "e2e_sh", script("echo $MARK"))); got != "new\n" {
		t.Errorf("under the new plan: %q", got)
	}
	waitFor(t, "the news", func() bool { return s.news.Load() == 1 })

	s.write(t, "skills.toml", named("e2e_other"))
	s.awaitTools(t, "e2e_other")
	if _, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "e2e_sh", Arguments: script("true")}); err == nil {
		t.Error("a tool that is no more can be called")
	}
	for range 3 { // saved without a change
		s.write(t, "skills.toml", named("e2e_other"))
		time.Sleep(300 * time.Millisecond)
	}
	if n := s.news.Load(); n != 2 {
		t.Errorf("the client heard %d times of two changes", n)
	}
}

func TestABadChangeKeepsTheToolsAndNamesEveryMistake(t *testing.T) {
	s := openShop(t, map[string]string{"skills.toml": sh, "policy.toml": "level = \"baseline\"\n"})
	s.awaitTools(t, "e2e_sh")
	s.write(t, "skills.toml", sh+"tiemout = \"5s\"\n[skills.e2e_two.docker]\nimage = 7\n")
	s.awaitLog(t, "the tools stay as they were")
	for _, want := range []string{"skills.toml:11: skills.e2e_sh.docker.tiemout: unknown key", "skills.toml:13: skills.e2e_two.docker.image: is an integer", "mistakes=2"} {
		if !strings.Contains(s.stderr.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, s.stderr)
		}
	}
	s.awaitTools(t, "e2e_sh")
	if err := os.Remove(filepath.Join(s.dir, "skills.toml")); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, "there is no skills file at")
	if got := texts(s.call(t, "e2e_sh", script("echo on"))); got != "on\n" {
		t.Errorf("got %q", got)
	}
	if n := s.news.Load(); n != 0 {
		t.Errorf("the client heard %d times of nothing", n)
	}
	s.write(t, "skills.toml", named("e2e_back"))
	s.awaitTools(t, "e2e_back")
}

func TestAChangeOfThePolicyHoldsForEverySkill(t *testing.T) {
	policies := t.TempDir() // as a ConfigMap is mounted
	publish := func(version, text string) {
		t.Helper()
		err := errors.Join(
			os.Mkdir(filepath.Join(policies, version), 0o755),
			os.WriteFile(filepath.Join(policies, version, "policy.toml"), []byte(text), 0o644),
			os.Symlink(version, filepath.Join(policies, "..new")),
			os.Rename(filepath.Join(policies, "..new"), filepath.Join(policies, "..data")))
		if err != nil {
			t.Fatal(err)
		}
	}
	publish("..1", "level = \"baseline\"\n")
	if err := os.Symlink("..data/policy.toml", filepath.Join(policies, "policy.toml")); err != nil {
		t.Fatal(err)
	}
	large := strings.Replace(named("e2e_large"), "64m", "128m", 1)
	s := openShop(t, map[string]string{"skills.toml": sh + large}, "--policy", filepath.Join(policies, "policy.toml"))
	s.awaitTools(t, "e2e_large", "e2e_sh")

	publish("..2", "max_memory = \"100m\"\n")
	s.awaitTools(t, "e2e_sh")
	s.awaitLog(t, "max_memory")
	if got := texts(s.call(t, "e2e_sh", script("echo on"))); got != "on\n" {
		t.Errorf("got %q", got)
	}
	publish("..3", "max_memory = 7\n")
	s.awaitLog(t, "max_memory: is an integer")
	s.awaitTools(t, "e2e_sh")
	publish("..4", "")
	s.awaitTools(t, "e2e_large", "e2e_sh")
	waitFor(t, "the news", func() bool { return s.news.Load() == 2 })
}

func TestAChangedDockerfileIsBuiltForTheNextCall(t *testing.T) {
	image := fmt.Sprintf("skillet-e2e-rebuild:%d", os.Getpid())
	t.Cleanup(func() { docker(t, "rmi", "-f", image) })
	dockerfile := func(mark string) string {
		return "FROM debian:bookworm-slim\nRUN echo " + mark + " > /mark\n"
	}
	config := "[skills.e2e_mark]\nwarm = 1\n[skills.e2e_mark.docker]\nimage = \"" + image + "\"\nbuild = \"img\"\ncommand = [\"cat\", \"/mark\"]\n"
	s := openShop(t, map[string]string{"skills.toml": config, "img/Dockerfile": dockerfile("one")})
	mark := func() string { return texts(s.call(t, "e2e_mark", struct{}{})) }
	if got := mark(); got != "one\n" {
		t.Fatalf("got %q", got)
	}
	// Most of these are in the engine's cache, and built before the engine has told of it.
	for i, want := range []string{"two", "one", "two", "one", "two", "one", "two"} {
		s.write(t, "img/Dockerfile", dockerfile(want))
		waitFor(t, "the change to be seen", func() bool { return strings.Count(s.stderr.String(), "its Dockerfile has changed") == i+1 })
		if got := mark(); got != want+"\n" {
			t.Errorf("the next call: %q", got)
		}
	}
	s.write(t, "img/Dockerfile", dockerfile("three; exit 3"))
	s.awaitLog(t, "the image stays as it was")
	if got := mark(); got != "two\n" || !strings.Contains(s.stderr.String(), "exit 3") {
		t.Errorf("after a build that failed: %q\n%s", got, s.stderr)
	}
	if n := s.news.Load(); n != 0 {
		t.Errorf("the client heard %d times of a list that is the same", n)
	}
}

func TestWithoutWatchingNothingChanges(t *testing.T) {
	s := openShop(t, map[string]string{"skills.toml": sh}, "--watch=false")
	s.write(t, "skills.toml", named("e2e_other"))
	time.Sleep(time.Second)
	s.awaitTools(t, "e2e_sh")
}
