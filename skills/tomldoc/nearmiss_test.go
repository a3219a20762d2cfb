package tomldoc_test

import (
	"testing"

	"skillet/skills/tomldoc"
)

func TestANearMissIsWhatWasLikelyMeant(t *testing.T) {
	known := []string{"annotations", "args", "cpus", "description", "docker", "environment", "image", "memory", "output", "outputs", "stdin", "timeout", "title", "volumes", "working_dir", "$ref"}
	for name, want := range map[string]string{
		"imgae": "image", "Image": "image", "imag": "image", "memroy": "memory", "volume": "volumes", "arg": "args", "agrs": "args",
		"desc": "description", "env": "environment", "environments": "environment", "work_dir": "working_dir", "workingdir": "working_dir",
		"time_out": "timeout", "timeuot": "timeout", "ouput": "output", "ref": "$ref", "std-in": "stdin",
		// nothing is near: a list of what is known is of more use than a wild guess
		"": "", "x": "", "no": "", "name": "", "network": "", "command": "", "entrypoint": "", "file": "", "größe": "", "élan": "",
	} {
		if got := tomldoc.Nearest(name, known); got != want {
			t.Errorf("%q: did you mean %q? Expected %q", name, got, want)
		}
	}
}

func TestWithoutANearMissTheKnownNamesAreListed(t *testing.T) {
	for want, known := range map[string][]string{
		`did you mean "args"?`:     {"args", "stdin"},
		"known here: stdin, x":     {"stdin", "x"},
		"nothing is expected here": nil,
	} {
		if got := tomldoc.NearMiss("arg", known); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
