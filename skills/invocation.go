package skills

import "time"

// Invocation is one call of a skill with everything resolved: no template, no variable and no default is left in it.
// It says what the skill wants; whether it gets it is for the policy to say.
//
// The fields of `[skills.X.docker]` keep their form of the configuration file where that form is `docker run`'s own
// (volumes, environment, gpus, extra_args): the policy reads them as the engine would.
type Invocation struct {
	Skill string // the tool's name

	Image      string
	Build      string   // absolute path of the build context, "" when the image is to be pulled
	BuildRoot  string   // directory of skills.toml, below which Build has to be
	Entrypoint string   // "" keeps the image's own
	Command    []string // docker.command, then what the arguments made; nil keeps the image's own

	Environment []string // KEY=value, or KEY to hand on the variable of skillet's own environment
	Volumes     []string // source:target[:options], target, as for `docker run --volume`
	WorkingDir  string
	User        string
	Network     string
	Platform    string
	GPUs        string
	ReadOnly    bool
	Keep        bool // rm = false
	ExtraArgs   []string

	Memory    int64 // bytes, 0 when no limit was given
	NanoCPUs  int64 // 1e9 is one CPU, 0 when no limit was given
	PidsLimit int64

	Warm Warm // containers to keep started for such calls

	Session     string        // the one that the call belongs to, [NewSession] for one that it begins, "" for none
	SessionIdle time.Duration // how long a session waits for its next call; 0 when the skill has none

	Stdin     []byte // nil when the program gets no standard input
	Timeout   time.Duration
	MaxOutput int64 // bytes of each stream

	Workdir string   // the working directory on the host, canonical
	Outputs []string // files that the call is to make, relative to Workdir
}

// Warm is how many idle containers are kept started for a skill.
type Warm struct {
	Auto  bool // as many as its recent use suggests
	Count int  // when not Auto
}
