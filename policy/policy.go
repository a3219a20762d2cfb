package policy

import (
	"errors"

	"skillet/skills"
	"skillet/skills/tomldoc"
)

// Options are the facts about this machine that rules need.
type Options struct {
	Lookup        skills.Lookup // variables for KEY without a value in extra_args; nil for none
	Homes         []string      // the user's home directory, by all accounts that there are of it
	EngineSockets []string      // sockets of engines besides the well-known ones, such as DOCKER_HOST's
}

// Policy judges skills and their calls. It does not change after it was made.
type Policy struct {
	level   Level
	rules   rules
	options Options
	guarded guarded
}

// New returns the default policy: the level baseline.
func New(options Options) (*Policy, error) { return Parse("", nil, options) }

// Load reads a policy file.
func Load(file string, options Options) (*Policy, error) {
	data, err := tomldoc.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, data, options)
}

// Level returns the level that the policy's single rules start from.
func (p *Policy) Level() Level { return p.level }

// Vet judges a skill before any call: everything but the caller's arguments is known by then. The error is
// [DeniedErrors] with every broken rule.
func (p *Policy) Vet(skill *skills.Skill) error {
	_, err := p.Approve(skill.Prototype())
	return err
}

// Verdict is what a policy says to a skill.
type Verdict struct {
	Plan Plan  // for a call that differs in nothing but the caller's arguments; the zero Plan for a refusal
	Err  error // as of [Policy.Vet]
}

// VetAll is [Policy.Vet] for many skills, which mostly mount the same: the host's paths are looked at once for all of
// them. The verdicts are in the order of the skills.
func (p *Policy) VetAll(all []*skills.Skill) []Verdict {
	look := newLook()
	verdicts := make([]Verdict, len(all))
	for i, skill := range all {
		verdicts[i].Plan, verdicts[i].Err = p.approve(skill.Prototype(), look)
	}
	return verdicts
}

// Approve judges one call, and looks at the host's paths anew for it. The error is [DeniedErrors]; the Plan is the only
// thing that the runtime takes.
func (p *Policy) Approve(inv skills.Invocation) (Plan, error) { return p.approve(inv, newLook()) }

func (p *Policy) approve(inv skills.Invocation, look *look) (Plan, error) {
	container, denied := p.resolve(inv, look)
	if len(denied) == 0 {
		c := judged{&container, hostMounts(container.Mounts), inv, p.guarded, look}
		for _, rule := range allRules {
			denied = append(denied, rule(p.rules, c)...)
		}
	}
	if len(denied) > 0 {
		for _, one := range denied {
			one.Skill = inv.Skill
		}
		return Plan{}, denied
	}
	// Nothing in it is shared: resolve made it anew from the invocation, and Plan.Container gives out copies.
	return Plan{container: &container}, nil
}

// Denied returns the refusals in an error, nil when it is none.
func Denied(err error) DeniedErrors {
	var denied DeniedErrors
	errors.As(err, &denied)
	return denied
}
