package skills

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"skillet/skills/tomldoc"
)

// callChecker finds what does not fit between a skill's templates and its parameters.
type callChecker struct {
	t        tomldoc.Table
	s        *Skill
	used     map[string]bool
	operands bool // as the renderer's, where every call has the "--"
}

func (c *callChecker) fail(at []string, text, hint string) { c.t.FailAt(c.t.Path(at...), text, hint) }

// lookup marks a parameter as used; nil when there is none of the name, which is a mistake, or when it could not be read.
func (c *callChecker) lookup(at []string, pieces []piece, i int) *parameter {
	name := pieces[i].param
	p := c.find(name)
	if p == nil {
		hint := tomldoc.NearMiss(name, c.s.ParameterNames())
		switch {
		case i > 0 && strings.HasSuffix(pieces[i-1].literal, "$"):
			hint = "variables are expanded in the docker table only; write ${{ for a dollar sign and a brace"
		case c.s.raw || len(c.s.parameters) == 0:
			hint = "add " + c.t.Header("parameters", name) + ", or write {{ for a brace"
		}
		c.fail(at, fmt.Sprintf("{%s} is no parameter", name), hint)
		return nil
	}
	if p.broken {
		return nil
	}
	return p
}

func (c *callChecker) find(name string) *parameter {
	c.used[name] = true
	return c.s.parameter(name)
}

// template checks the elements of a template; inside a group, the parameters that the group is left out without are
// safe to insert.
func (c *callChecker) template(t template, safe []string) {
	for _, e := range t {
		switch {
		case e.group != nil:
			c.group(e, safe)
		case e.literal():
			c.operands = e.lead() == "--"
		default:
			for i, piece := range e.pieces {
				if piece.param == "" {
					continue
				}
				if p := c.lookup(e.at, e.pieces, i); p != nil {
					c.insertion(e, p, safe)
					c.option(e, i, p)
				}
			}
		}
	}
}

func (c *callChecker) group(e element, safe []string) {
	inside := e.group.direct()
	switch {
	case e.when != "":
		switch p := c.find(e.when); {
		case p == nil:
			c.fail(e.at, fmt.Sprintf("when = %q is no parameter", e.when), tomldoc.NearMiss(e.when, c.s.ParameterNames()))
		case !p.broken && !p.is("boolean"):
			c.fail(e.at, fmt.Sprintf("when = %q is no boolean parameter", e.when), `give it type = "boolean"`)
		}
		if len(e.group) == 0 {
			c.fail(e.at, "has no args, so that nothing depends on "+e.when, "")
		}
	case len(inside) == 0:
		c.fail(e.at, "is an optional group without a parameter of its own, so that nothing decides about it", "take it out of its brackets")
	}
	before := c.operands
	c.template(e.group, slices.Concat(safe, inside))
	c.operands = c.operands && before // the group may be left out
}

// insertion checks that every call has a value for a parameter of an element, or that the element is left out without.
func (c *callChecker) insertion(e element, p *parameter, safe []string) {
	isArray, alone := p.allows("array"), e.alone() != ""
	switch {
	case isArray && !alone:
		c.fail(e.at, fmt.Sprintf("{%s} is an array, which has to be an element of its own", p.name), "")
	case !p.given() && !isArray && !slices.Contains(safe, p.name):
		c.fail(e.at, fmt.Sprintf("{%s} is optional, and this argument could not be made without it", p.name),
			fmt.Sprintf(`put it in a group, like ["--option", "{%s}"], or give the parameter required = true or a default`, p.name))
	}
}

// option checks that piece i of an element, which inserts p, neither names an option nor can be given only values that
// [renderer.dash] refuses.
func (c *callChecker) option(e element, i int, p *parameter) {
	before := ""
	for _, piece := range e.pieces[:i] {
		before += piece.literal
	}
	if p.allowDash || !onlyDashes(before) {
		return
	}
	if e.lead() != "" && p.free() {
		c.fail(e.at, fmt.Sprintf("%s{%s} lets the caller choose the option", before, p.name),
			"give the parameter an enum, a number's type or a pattern from ^ to $, or allow_dash = true if that is meant")
	}
	if before != e.lead() || before == "" && c.operands {
		return
	}
	for _, at := range p.dashes() {
		c.fail(append([]string{"parameters", p.name}, at...), `has a value that begins with "-", which no call could have: it would be an option`,
			`give the parameter allow_dash = true, or put "--" before {`+p.name+`}`)
	}
}

func (c *callChecker) stdin() {
	for i, piece := range c.s.stdin {
		if piece.param != "" {
			c.lookup([]string{"stdin"}, c.s.stdin, i)
		}
	}
}

func (c *callChecker) outputs() {
	for i, pieces := range c.s.outputs {
		at := []string{"outputs", strconv.Itoa(i)}
		if placeholders(pieces) == nil {
			if reason := outside(pieces[0].literal); reason != "" {
				c.fail(at, reason, "")
			}
		}
		for j, piece := range pieces {
			if piece.param == "" {
				continue
			}
			p := c.lookup(at, pieces, j)
			switch {
			case p == nil:
			case p.allows("array") || p.allows("object"):
				c.fail(at, fmt.Sprintf("{%s} is no single value, and a file has one name", p.name), "")
			case len(pieces) == 1 && p.isPath():
				p.creates = true
			}
		}
	}
}

// paths checks that files named by a caller exist in the container, too.
func (c *callChecker) paths() {
	found := c.s.Output == OutputFiles && len(c.s.outputs) == 0
	if c.s.mountTarget != "" {
		if found && c.s.mountReadOnly {
			c.fail([]string{"output"}, `is "files", and the working directory, in which they are looked for, is mounted with ro`, "take the :ro out of volumes")
		}
		return
	}
	if found {
		c.fail([]string{"output"}, `is "files", and the working directory, in which they are looked for, is not mounted`, mountHint)
	}
	if len(c.s.outputs) > 0 {
		c.fail([]string{"outputs"}, "are looked for in the working directory, which is not mounted", mountHint)
	}
	for _, p := range c.s.parameters {
		if containsPath(p.schema) {
			c.fail([]string{"parameters", p.name}, "is a path in the working directory, which is not mounted", mountHint)
		}
	}
}

const mountHint = `add volumes = ["${SKILL_WORKDIR}:/workdir"] and working_dir = "/workdir" to the docker table`

func (c *callChecker) unused() {
	for _, p := range c.s.parameters {
		if !c.used[p.name] {
			c.fail([]string{"parameters", p.name}, "is used by nothing", fmt.Sprintf("insert {%s} in args, stdin or outputs, or remove it", p.name))
		}
	}
}
