package skills_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skillet/skills"
)

func TestTheNearestTableSaysHowLongACallIsWaitedFor(t *testing.T) {
	set, err := skills.Parse("f", []byte(`
[defaults]
wait = "20s"
[skills.inherits]
docker.image = "a"
[skills.waits]
wait = "90s"
docker.image = "a"
[skills.waits.tools.shorter]
wait = "1s"
[skills.waits.tools.same]
[skills.waits.tools.never]
background = true
[skills.never]
background = true
docker.image = "a"
[skills.never.instances.same]
[skills.never.instances.sometimes]
background = false
wait = "2s"
`), environment())
	if err != nil {
		t.Fatal(err)
	}
	type patience struct {
		Background bool
		Wait       time.Duration
	}
	got := map[string]patience{}
	for _, skill := range set.Skills {
		got[skill.Name] = patience{skill.Background, skill.Wait}
		if !skill.Jobs() {
			t.Errorf("%s makes no jobs", skill.Name)
		}
	}
	if diff := cmp.Diff(map[string]patience{
		"inherits": {false, 20 * time.Second}, "waits_shorter": {false, time.Second}, "waits_same": {false, 90 * time.Second},
		"waits_never": {true, 90 * time.Second}, "never_same": {true, 20 * time.Second}, "never_sometimes": {false, 2 * time.Second},
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheNamesOfTheToolsForJobsAreFreeWhereThereAreNone(t *testing.T) {
	named := "[skills.job_status.docker]\nimage = 'a'\n[skills.job.tools.output]\n[skills.job.docker]\nimage = 'a'\n[skills.x]\ndocker.image = 'a'\n"
	set, err := skills.Parse("f", []byte(named), environment())
	if err != nil || set.Skills[0].Jobs() {
		t.Fatalf("got %v", err)
	}
	got := mistakes(t, named+"wait = '1s'\n")
	for _, want := range []string{"f:1: skills.job_status: gives a name that is taken: job_status, job_output, job_cancel", "f:3: skills.job.tools.output: gives"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, without %q", got, want)
		}
	}
}
