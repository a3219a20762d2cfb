package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"

	"skillet/mcpserver"
	"skillet/policy"
	"skillet/skills"
)

// configuration is what the files say: the skills, and what the policy says to them. It does not change; a change of the
// files makes another one.
type configuration struct {
	file    string // of the skills
	set     *skills.Set
	policy  *policy.Policy
	vetted  []*skills.Skill
	plans   []policy.Plan // of the vetted skills, without a caller's arguments
	refused []refusal
	listing skills.Listing
}

// offer is what of it is for clients.
func (config *configuration) offer() mcpserver.Offer {
	return mcpserver.Offer{Skills: config.vetted, Prompts: config.set.Prompts, Listing: config.listing, Policy: config.policy}
}

// refusal is a skill that the policy does not let through.
type refusal struct {
	skill *skills.Skill
	err   error
}

// texts are what stands in the files at one moment.
type texts struct{ skills, policy text }

// text is a file's, or why it cannot be read.
type text struct {
	data []byte
	err  error
}

func readText(file string) text {
	data, err := skills.ReadFile(file)
	return text{data, err}
}

func (t text) same(other text) bool {
	return bytes.Equal(t.data, other.data) && (t.err == nil) == (other.err == nil) && (t.err == nil || t.err.Error() == other.err.Error())
}

func (t texts) same(other texts) bool {
	return t.skills.same(other.skills) && t.policy.same(other.policy)
}

// skillsFile is the path of the skills' file.
func (c *command) skillsFile() string {
	if c.config != "" {
		return c.config
	}
	if file := c.variable("SKILLET_CONFIG"); file != "" {
		return file
	}
	return "skills.toml"
}

// read reads the files. Without --policy, the policy's is empty, which stands for the default one.
func (c *command) read() texts {
	t := texts{skills: readText(c.skillsFile())}
	if c.policyFile != "" {
		t.policy = readText(c.policyFile)
	}
	return t
}

// configure makes a configuration of the files' texts: it parses both and vets every skill. The error has the mistakes of both.
// No engine is needed for it.
func (c *command) configure(from texts, workdir string) (*configuration, error) {
	config := &configuration{file: c.skillsFile()}
	var skillsErr, policyErr error
	config.set, skillsErr = c.parseSkills(config.file, from.skills, workdir)
	config.policy, policyErr = c.parsePolicy(from.policy)
	if skillsErr != nil || policyErr != nil {
		return nil, together(skillsErr, policyErr)
	}
	if config.listing = config.set.Listing; c.listing != "" {
		config.listing = c.listing
	}
	for i, verdict := range config.policy.VetAll(config.set.Skills) {
		skill := config.set.Skills[i]
		if verdict.Err != nil {
			config.refused = append(config.refused, refusal{skill, verdict.Err})
			continue
		}
		config.vetted = append(config.vetted, skill)
		config.plans = append(config.plans, verdict.Plan)
	}
	return config, nil
}

func (c *command) parseSkills(file string, from text, workdir string) (*skills.Set, error) {
	switch {
	case errors.Is(from.err, fs.ErrNotExist):
		return nil, &exitError{code: exitFailed, err: fmt.Errorf("there is no skills file at %s", file),
			hint: "name one with --config FILE or SKILLET_CONFIG, or write a skills.toml here"}
	case from.err != nil:
		return nil, from.err
	}
	uid, gid := strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getgid())
	return skills.Parse(file, from.data, skills.Environment{
		Lookup: c.lookup, Workdir: workdir, UID: uid, GID: gid, User: defaultUser(workdir),
	})
}

func (c *command) parsePolicy(from text) (*policy.Policy, error) {
	switch {
	case errors.Is(from.err, fs.ErrNotExist):
		return nil, &exitError{code: exitFailed, err: fmt.Errorf("there is no policy file at %s", c.policyFile), hint: "correct --policy"}
	case from.err != nil:
		return nil, from.err
	}
	options := policy.Options{Lookup: c.lookup, Homes: c.homes()}
	if socket, ok := strings.CutPrefix(c.variable("DOCKER_HOST"), "unix://"); ok {
		options.EngineSockets = []string{socket}
	}
	return policy.Parse(c.policyFile, from.data, options)
}

// homes returns the user's home directory as the environment and the system's user database have it: clients may start
// skillet with next to no environment.
func (c *command) homes() []string {
	var homes []string
	if home := c.variable("HOME"); home != "" {
		homes = append(homes, home)
	}
	if account, err := user.Current(); err == nil && account.HomeDir != "" {
		homes = append(homes, account.HomeDir)
	}
	return homes
}

// find returns a vetted skill by its tool's name. The error says what became of one that is not there.
func (config *configuration) find(name string) (*skills.Skill, error) {
	skill := config.set.Find(name)
	if skill == nil {
		var names []string
		for _, known := range config.vetted {
			names = append(names, known.Name)
		}
		return nil, usage("the skills are: "+strings.Join(names, ", "), "%s has no skill %q", config.file, name)
	}
	for _, refused := range config.refused {
		if refused.skill == skill {
			return nil, refused.err
		}
	}
	return skill, nil
}

// refusals says which skills are not offered, and why.
func (config *configuration) refusals() []string {
	var all []string
	for _, refused := range config.refused {
		all = append(all, fmt.Sprintf("%s:%d: %v", config.file, refused.skill.Line, refused.err))
	}
	return all
}
