package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// jobs are two shells like that of sh: one that is never waited for, and one that is for three seconds.
var jobs = strings.Replace(sh, `timeout = "60s"`, "timeout = \"60s\"\nbackground = true", 1) +
	strings.NewReplacer("e2e_sh", "e2e_wait", `timeout = "60s"`, "timeout = \"60s\"\nwait = \"3s\"").Replace(sh)

// job is what a client is told of one.
type job struct {
	Job, State     string
	ExitCode       *int   `json:"exit_code"`
	LastLine       string `json:"last_line"`
	Stdout, Stderr string
}

func jobOf(t *testing.T, result *mcp.CallToolResult) (j job) {
	t.Helper()
	raw, err := json.Marshal(result.StructuredContent)
	if err = errors.Join(err, json.Unmarshal(raw, &j)); err != nil {
		t.Fatal(err)
	}
	return j
}

// ask calls one of the tools for jobs.
func ask(t *testing.T, session *mcp.ClientSession, tool, handle string, wait int) *mcp.CallToolResult {
	t.Helper()
	arguments := map[string]any{"job": handle}
	if wait > 0 {
		arguments["wait"] = wait
	}
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return result
}

// begin begins a job, and returns its handle once its program runs.
func begin(t *testing.T, session *mcp.ClientSession, workdir, text string) string {
	t.Helper()
	sign := filepath.Join(workdir, "begun")
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "e2e_sh", Arguments: script("touch begun; " + text)})
	if err != nil || result.IsError || jobOf(t, result).Job == "" {
		t.Fatalf("got %+v %v", result, err)
	}
	waitFor(t, "the program to start", func() bool { return exists(sign) })
	if err := os.Remove(sign); err != nil {
		t.Fatal(err)
	}
	return jobOf(t, result).Job
}

func TestAJobGivesItsResultWhenItIsAskedFor(t *testing.T) {
	s := serve(t, jobs)
	handle := begin(t, s.ClientSession, s.workdir, `echo begun; while [ ! -e go ]; do sleep 0.1; done; printf '\211PNG\r\n\032\n'; sleep 0.3; echo end >&2; exit 3`)
	waitFor(t, "the first line", func() bool { return jobOf(t, ask(t, s.ClientSession, "job_status", handle, 0)).LastLine == "begun" })
	if got := ask(t, s.ClientSession, "job_output", handle, 1); jobOf(t, got).State != "running" || jobOf(t, got).Stdout != "begun\n" || got.IsError {
		t.Errorf("while it runs: %+v %s", jobOf(t, got), texts(got))
	}
	if err := os.WriteFile(filepath.Join(s.workdir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got := ask(t, s.ClientSession, "job_output", handle, 20)
	structured, _ := json.Marshal(got.StructuredContent)
	if !got.IsError || !strings.Contains(texts(got), "e2e_sh failed with exit code 3.") || !strings.Contains(string(structured), `"stderr":"end\n"`) {
		t.Errorf("got %s %s", texts(got), structured)
	}
	if _, ok := got.Content[1].(*mcp.EmbeddedResource); !ok {
		t.Errorf("the binary output came as %T", got.Content[1])
	}
	if got := jobOf(t, ask(t, s.ClientSession, "job_status", handle, 0)); got.State != "failed" || got.ExitCode == nil || *got.ExitCode != 3 || got.LastLine != "end" {
		t.Errorf("got %+v", got)
	}
	waitFor(t, "the container to go", func() bool { return containers(t) == "" })
}

func TestACallThatOutlivesWaitGoesOnAsAJob(t *testing.T) {
	s := serve(t, jobs)
	if got := texts(s.call(t, "e2e_wait", script("sleep 1; echo soon"))); got != "soon\n" {
		t.Errorf("a short call gave %q", got)
	}
	begun := time.Now()
	handle := jobOf(t, s.call(t, "e2e_wait", script("sleep 6; echo late")))
	if took := time.Since(begun); took < 3*time.Second || took > 5*time.Second || handle.State != "running" {
		t.Errorf("after %s: %+v", took, handle)
	}
	if got := texts(ask(t, s.ClientSession, "job_output", handle.Job, 20)); got != "late\n" {
		t.Errorf("got %q", got)
	}
}

func TestACancelledJobIsDeadWithinASecond(t *testing.T) {
	s := serve(t, jobs)
	handle := begin(t, s.ClientSession, s.workdir, "trap '' TERM; echo on the way; sleep 600")
	begun := time.Now()
	got := ask(t, s.ClientSession, "job_cancel", handle, 0)
	if took := time.Since(begun); jobOf(t, got).State != "cancelled" || took > time.Second {
		t.Errorf("after %s: %s", took, texts(got))
	}
	if left := docker(t, "ps", "-q", "--filter", "name=skillet-e2e"); left != "" {
		t.Errorf("%s still runs", left)
	}
	if got := ask(t, s.ClientSession, "job_output", handle, 0); !got.IsError || !strings.Contains(texts(got), "The call was cancelled.") || !strings.Contains(texts(got), "on the way") {
		t.Errorf("got %s", texts(got))
	}
}

func TestJobsOfAServerThatHasEndedAreLostAndThatIsSaid(t *testing.T) {
	first := serveHTTP(t, jobs, nil)
	handle := begin(t, first.connect(t, newer, ""), first.workdir, "trap '' TERM; sleep 600")
	if err := first.process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.exit
	first.exit <- nil
	waitFor(t, "the containers to go", func() bool { return containers(t) == "" })
	second := serve(t, jobs)
	for _, tool := range []string{"job_status", "job_cancel"} {
		if got := ask(t, second.ClientSession, tool, handle, 0); got.IsError || jobOf(t, got).State != "lost" {
			t.Errorf("%s: got %s", tool, texts(got))
		}
	}
	if got := ask(t, second.ClientSession, "job_output", handle, 0); !got.IsError || !strings.Contains(texts(got), "its program was ended with it, and its result is lost") {
		t.Errorf("got %s", texts(got))
	}
}

func TestAJobGoesOnUnderTheOldPlanWhenTheSkillsChange(t *testing.T) {
	s := openShop(t, map[string]string{"skills.toml": jobs})
	handle := begin(t, s.ClientSession, s.workdir, "while [ ! -e go ]; do sleep 0.1; done; echo as it was")
	s.write(t, "skills.toml", strings.NewReplacer("background = true", "", `wait = "3s"`, "", "/workdir", "/elsewhere").Replace(jobs))
	waitFor(t, "the change", func() bool { return strings.Contains(s.stderr.String(), "reloaded") })
	if got := strings.Join(s.tools(t), " "); got != "e2e_sh e2e_wait job_cancel job_output job_status" {
		t.Errorf("with a job: %s", got)
	}
	if got := texts(s.call(t, "e2e_sh", script("touch go; pwd"))); got != "/elsewhere\n" {
		t.Errorf("got %q", got)
	}
	if got := texts(ask(t, s.ClientSession, "job_output", handle, 20)); got != "as it was\n" {
		t.Errorf("got %q", got)
	}
}

func TestJobsHoldTheirPlacesInTheQueue(t *testing.T) {
	s := serveHTTP(t, jobs, nil, "--max-concurrent", "1", "--max-idle", "0")
	session := s.connect(t, newer, "")
	first := begin(t, session, s.workdir, "sleep 600")
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "e2e_sh", Arguments: script("echo second")})
	if err != nil || jobOf(t, result).State != "queued" {
		t.Fatalf("got %+v %v", result, err)
	}
	if got := ask(t, session, "job_output", jobOf(t, result).Job, 1); jobOf(t, got).State != "queued" || !strings.Contains(texts(got), "number 1 in the queue") {
		t.Errorf("got %s", texts(got))
	}
	ask(t, session, "job_cancel", first, 0)
	if got := texts(ask(t, session, "job_output", jobOf(t, result).Job, 20)); got != "second\n" {
		t.Errorf("got %s", got)
	}
}

func TestJobsBelongToTheClientThatMadeThem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("alice 0123456789abcdef\nbob fedcba9876543210\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveHTTP(t, jobs, nil, "--http-token-file", file, "--grace", "2s")
	alice, bob := s.connect(t, newer, "0123456789abcdef"), s.connect(t, older, "fedcba9876543210")
	handle := begin(t, alice, s.workdir, "echo hers; sleep 600")
	for _, tool := range []string{"job_status", "job_output", "job_cancel"} {
		if got := ask(t, bob, tool, handle, 0); !got.IsError || !strings.Contains(texts(got), "not the handle of a job of yours") {
			t.Errorf("%s: bob is told %s", tool, texts(got))
		}
	}
	// Another connection of hers, in the other era, is she as well.
	again := s.connect(t, older, "0123456789abcdef")
	waitFor(t, "the first line", func() bool { return jobOf(t, ask(t, again, "job_output", handle, 0)).Stdout == "hers\n" })
} // the end stops the server with the job running, and looks whether anything is left

func TestARequestThatIsCancelledBeforeItsHandleEndsTheCall(t *testing.T) {
	s := serveHTTP(t, jobs, nil, "--max-idle", "0")
	session := s.connect(t, newer, "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "e2e_wait", Arguments: script("touch begun; sleep 600")})
		done <- err
	}()
	waitFor(t, "the program to start", func() bool { return exists(filepath.Join(s.workdir, "begun")) })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	waitFor(t, "the container to go", func() bool { return len(s.containers(t)) == 0 })
}

func TestJobsHaveTheGracePeriodWhenTheServerIsStopped(t *testing.T) {
	s := serveHTTP(t, jobs, nil, "--grace", "4s", "--max-idle", "0")
	session := s.connect(t, newer, "")
	begin(t, session, s.workdir, "sleep 2; touch ended")
	begin(t, session, s.workdir, "trap '' TERM; sleep 8; touch never")
	begun := time.Now()
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := <-s.exit
	s.exit <- nil
	if took := time.Since(begun); err != nil || took < 3900*time.Millisecond || took > 7*time.Second {
		t.Errorf("skillet ended after %v with %v\n%s", took, err, s.stderr)
	}
	if !exists(filepath.Join(s.workdir, "ended")) || exists(filepath.Join(s.workdir, "never")) {
		t.Error("the short job did not end, or the long one did")
	}
}

// A list of messages that is piped into skillet ends before what it asks for.
func TestAJobOfAPipedCallHasTheGracePeriod(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "skills.toml")
	if err := os.WriteFile(file, []byte(jobs), 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(skillet, "serve", "--config", file, "--workdir", dir)
	command.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"e2e_sh","arguments":{"args":["-c","sleep 1; touch ended"]}}}`)
	out, err := command.Output()
	if err != nil || !strings.Contains(string(out), `"job":"job-`) || !exists(filepath.Join(dir, "ended")) {
		t.Errorf("got %s %v", out, err)
	}
	waitFor(t, "the container to go", func() bool { return containers(t) == "" })
}

func TestWhatAJobHasMadeCanBeReadAsOfACall(t *testing.T) {
	s := serve(t, strings.Replace(sh, `timeout = "60s"`, `timeout = "60s"
background = true
args = ["-c", "echo made >made.txt; head -c 3000000 /dev/zero | tr '\\0' x"]
outputs = ["made.txt"]`, 1))
	handle := jobOf(t, s.call(t, "e2e_sh", struct{}{})).Job
	got := ask(t, s.ClientSession, "job_output", handle, 20)
	read := map[string]bool{}
	for _, content := range got.Content {
		uri := ""
		switch content := content.(type) {
		case *mcp.ResourceLink:
			uri = content.URI
		case *mcp.EmbeddedResource:
			uri = content.Resource.URI
		default:
			continue
		}
		resource, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		text := resource.Contents[0].Text
		read[text[:4]] = true
	}
	if got.IsError || !read["made"] || !read["xxxx"] {
		t.Errorf("could read %v of %s", read, texts(got)[:200])
	}
}
