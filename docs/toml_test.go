package docs

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skillet/policy"
	"skillet/skills"
)

// home is no directory of any machine; the policy knows what it would hold.
var options = policy.Options{Lookup: lookup, Homes: []string{"/home/me"}}

// approve vets every skill of a set.
func approve(t *testing.T, p *policy.Policy, set *skills.Set) {
	t.Helper()
	for _, skill := range set.Skills {
		if err := p.Vet(skill); err != nil {
			t.Error(err)
		}
	}
}

func defaultPolicy(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// parse reads a file in a directory that has what the files of the documents name.
func parse(t *testing.T, text string) (*skills.Set, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "guide.md"), []byte("How to use it.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return skills.Parse(filepath.Join(dir, "skills.toml"), []byte(text), environment(t))
}

func TestWholeSkillsFilesLoadAndAreApproved(t *testing.T) {
	eachBlock(t, func(t *testing.T, b *block) {
		set, err := parse(t, b.text())
		if err != nil {
			t.Fatal(err)
		}
		approve(t, defaultPolicy(t), set)
	}, "toml")
}

// skillHeader begins a skill.
var skillHeader = regexp.MustCompile(`(?m)^\[skills\.([a-z]+)\]$`)

func TestFragmentsLoadOnceTheyHaveAContainer(t *testing.T) {
	eachBlock(t, func(t *testing.T, b *block) {
		text := b.text()
		for _, match := range skillHeader.FindAllStringSubmatch(text, -1) {
			header := "[skills." + match[1] + ".docker]\n"
			if !strings.Contains(text, header) {
				text += header + "image = \"debian:bookworm-slim\"\nvolumes = [\"${SKILL_WORKDIR}:/workdir\"]\nworking_dir = \"/workdir\"\n"
			}
		}
		set, err := parse(t, text)
		if err != nil {
			t.Fatal(err)
		}
		approve(t, defaultPolicy(t), set)
	}, "toml fragment")
}

func TestMistakesAreReportedAsShown(t *testing.T) {
	eachBlock(t, func(t *testing.T, b *block) {
		if b.next == nil || b.next.kind != "text" {
			t.Fatal("no ```text block with the mistakes follows")
		}
		_, err := skills.Parse("skills.toml", []byte(b.text()), environment(t))
		if b.kind == "toml policy wrong" {
			_, err = policy.Parse("policy.toml", []byte(b.text()), options)
		}
		if err == nil {
			t.Fatal("this loads")
		}
		expect(t, b.next, err.Error()+"\n")
	}, "toml wrong", "toml policy wrong")
}

func TestRefusalsAreAsShown(t *testing.T) {
	p := defaultPolicy(t)
	eachBlock(t, func(t *testing.T, b *block) {
		if b.next == nil || b.next.kind != "text" {
			t.Fatal("no ```text block with the refusals follows")
		}
		set, err := skills.Parse("skills.toml", []byte(b.text()), environment(t))
		if err != nil {
			t.Fatal(err)
		}
		var refusals strings.Builder
		for _, skill := range set.Skills {
			if err := p.Vet(skill); err != nil {
				fmt.Fprintln(&refusals, err)
			}
		}
		expect(t, b.next, refusals.String())
	}, "toml refused")
}

func TestTheLevelRestrictedApprovesWhatItIsSaidTo(t *testing.T) {
	p, err := policy.Parse("policy.toml", []byte(`level = "restricted"`), options)
	if err != nil {
		t.Fatal(err)
	}
	eachBlock(t, func(t *testing.T, b *block) {
		set, err := skills.Parse("skills.toml", []byte(b.text()), environment(t))
		if err != nil {
			t.Fatal(err)
		}
		approve(t, p, set)
	}, "toml restricted")
}

func TestPolicyFilesLoad(t *testing.T) {
	eachBlock(t, func(t *testing.T, b *block) {
		if _, err := policy.Parse("policy.toml", []byte(b.text()), options); err != nil {
			t.Error(err)
		}
	}, "toml policy")
}

func TestBlocksAreOfAKnownKind(t *testing.T) {
	known := []string{"toml", "toml fragment", "toml wrong", "toml refused", "toml restricted", "toml policy", "toml policy wrong", "console", "json", "json call",
		"json result", "json tool", "go", "sh", "js", "text"}
	for _, file := range documents(t) {
		for _, b := range blocks(t, file) {
			if !slices.Contains(known, b.kind) {
				t.Errorf("%s: a block of the kind %q is tested by nothing", b.at(), b.kind)
			}
		}
	}
}

func TestExamplesLoad(t *testing.T) {
	files, err := filepath.Glob("../examples/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if strings.HasPrefix(filepath.Base(file), "policy-") {
				if _, err := policy.Load(file, options); err != nil {
					t.Error(err)
				}
				return
			}
			set, err := skills.Load(file, environment(t))
			if err != nil {
				t.Fatal(err)
			}
			approve(t, defaultPolicy(t), set)
		})
	}
}

// unknown is a key that is near to none, so that the message about it lists those that are known.
const unknown = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"

// known returns the keys that are known where a text has the unknown one.
func known(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		t.Fatal("an unknown key is no mistake")
	}
	match := regexp.MustCompile(unknown + `: unknown key \(known here: ([^)]*)\)`).FindStringSubmatch(err.Error())
	if match == nil {
		t.Fatalf("the known keys are not listed in: %v", err)
	}
	return strings.Split(match[1], ", ")
}

// same compares what is documented with what is so, in any order.
func same(t *testing.T, what string, documented, real []string) {
	t.Helper()
	for _, name := range real {
		if !slices.Contains(documented, name) {
			t.Errorf("%s: %q is not documented", what, name)
		}
	}
	for _, name := range documented {
		if !slices.Contains(real, name) {
			t.Errorf("%s: %q is documented, and not known to the code", what, name)
		}
	}
}

func TestTheTablesOfTheFormatHaveEveryKey(t *testing.T) {
	const file = "skills-toml.md"
	for _, c := range []struct {
		heading, table string
		skip           []string // keys of other tables in the section
	}{
		{"## Top level", "", nil},
		{"## [defaults]", "[defaults]\n", nil},
		{"## [server]", "[server]\n", nil},
		{"## [skills.NAME]", "[skills.x]\n", []string{"read_only", "destructive", "idempotent", "open_world"}},
		{"## [skills.NAME.docker]", "[skills.x.docker]\n", nil},
		{"## Several tools of one image", "[skills.x.tools.y]\n", nil},
		{"## Several configurations of one tool", "[skills.x.instances.y]\n", nil},
	} {
		_, err := skills.Parse(file, []byte(c.table+unknown+" = 1\n"), environment(t))
		text := section(t, file, c.heading)
		text, _, _ = strings.Cut(text, "\n### ")
		documented := slices.DeleteFunc(firstCells(text), func(key string) bool { return slices.Contains(c.skip, key) })
		same(t, c.heading, documented, known(t, err))
	}
	_, err := skills.Parse(file, []byte("[skills.x.annotations]\n"+unknown+" = 1\n"), environment(t))
	text := section(t, file, "## [skills.NAME]")
	_, text, _ = strings.Cut(text, "annotations]` has")
	same(t, "annotations", firstCells(text), known(t, err))
	_, err = skills.Parse(file, []byte("[skills.x.docker]\nimage='x'\n[prompts.x]\n"+unknown+" = 1\n"), environment(t))
	prompt, argument, _ := strings.Cut(section(t, file, "## Prompts"), "| key of an argument |")
	same(t, "prompts", firstCells(prompt), known(t, err))
	_, err = skills.Parse(file, []byte("[skills.x.docker]\nimage='x'\n[prompts.x.arguments.y]\n"+unknown+" = 1\n"), environment(t))
	same(t, "arguments of prompts", firstCells(argument), known(t, err))
}

func TestTheFieldsThatExpandVariablesAreTheDocumentedOnes(t *testing.T) {
	for _, cells := range rows(section(t, "skills-toml.md", "## [skills.NAME.docker]")) {
		if len(cells) != 5 {
			continue // of another table in the section
		}
		key, kind, expands := strings.Trim(cells[0], "`"), cells[1], cells[4]
		value := `"${VALUE}"`
		if strings.HasPrefix(kind, "array") {
			value = `["${VALUE}"]`
		}
		text := "[skills.x.docker]\n" + key + " = " + value + "\n"
		if key != "image" {
			text += "image = \"x\"\n"
		}
		env := environment(t)
		seen := false
		env.Lookup = func(name string) (string, bool) { seen = seen || name == "VALUE"; return "/value", true }
		_, err := skills.Parse("skills.toml", []byte(text), env)
		switch refused := err != nil && strings.Contains(err.Error(), "variables are not expanded here"); expands {
		case "expanded":
			if !seen || refused {
				t.Errorf("%s: not expanded: %v", key, err)
			}
		case "refused":
			if seen || !refused {
				t.Errorf("%s: not refused: %v", key, err)
			}
		case "":
			if kind != "boolean" {
				t.Errorf("%s: nothing is said about variables", key)
			}
		}
	}
}

// mistakes of a parameter with one keyword.
func keywordMistake(t *testing.T, keyword string) string {
	t.Helper()
	text := fmt.Sprintf("[skills.x]\nargs=[\"{a}\"]\n[skills.x.docker]\nimage=\"x\"\n[skills.x.parameters.a]\nrequired=true\n\"%s\" = %s\n", keyword, "{}")
	if keyword == "required" {
		text = strings.Replace(text, "required=true\n", "", 1)
	}
	_, err := skills.Parse("skills.toml", []byte(text), environment(t))
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestDocumentedKeywordsAreKnown(t *testing.T) {
	documented := firstCells(section(t, "skills-toml.md", "## Parameters"))
	if len(documented) < 50 {
		t.Fatalf("only %d keywords are documented", len(documented))
	}
	for _, keyword := range documented {
		if mistake := keywordMistake(t, keyword); strings.Contains(mistake, "no keyword of JSON Schema") {
			t.Errorf("%s: %s", keyword, mistake)
		}
	}
	// The other way round: JSON Schema 2020-12, Core and Validation, and what skillet adds.
	for keyword := range strings.FieldsSeq(`$schema $id $ref $anchor $dynamicRef $dynamicAnchor $vocabulary $comment $defs
		prefixItems items contains additionalProperties properties patternProperties dependentSchemas propertyNames if then else
		allOf anyOf oneOf not unevaluatedItems unevaluatedProperties type const enum multipleOf maximum exclusiveMaximum minimum
		exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxContains minContains maxProperties
		minProperties required dependentRequired title description default deprecated readOnly writeOnly examples format
		contentEncoding contentMediaType contentSchema allow_dash creates`) {
		if !slices.Contains(documented, keyword) {
			t.Errorf("%s is not documented", keyword)
		}
	}
	if mistake := keywordMistake(t, unknown); !strings.Contains(mistake, "no keyword of JSON Schema") {
		t.Errorf("an unknown keyword: %q", mistake)
	}
}

func TestDocumentedFormatsAreKnown(t *testing.T) {
	text := section(t, "skills-toml.md", "## Parameters")
	_, text, _ = strings.Cut(text, "Formats are\nchecked:")
	text, _, _ = strings.Cut(text, "An unknown format")
	formats := inCode.FindAllStringSubmatch(text, -1)
	if len(formats) < 10 {
		t.Fatalf("only %d formats are documented", len(formats))
	}
	for _, format := range formats {
		file := "[skills.x]\nargs=[\"{a}\"]\n[skills.x.docker]\nimage=\"x\"\nvolumes=[\"${SKILL_WORKDIR}:/w\"]\n" +
			"[skills.x.parameters.a]\nrequired=true\ntype=\"string\"\nformat=\"" + format[1] + "\"\n"
		if _, err := skills.Parse("skills.toml", []byte(file), environment(t)); err != nil {
			t.Error(err)
		}
	}
}

// flags returns the mistakes of a skill with some extra_args.
func flagMistakes(t *testing.T, flags ...string) string {
	t.Helper()
	quoted := make([]string, len(flags))
	for i, flag := range flags {
		quoted[i] = fmt.Sprintf("%q", flag)
	}
	text := "[skills.x.docker]\nimage=\"x\"\nextra_args=[" + strings.Join(quoted, ",") + "]\n"
	set, err := skills.Parse("skills.toml", []byte(text), environment(t))
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.toml", []byte(`level = "privileged"`), options)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Vet(set.Skills[0]); err != nil {
		return err.Error()
	}
	return ""
}

// TestTheFlagsOfExtraArgsAreTheDocumentedOnes asks for every flag of `docker run`.
func TestTheFlagsOfExtraArgsAreTheDocumentedOnes(t *testing.T) {
	documented := firstCells(section(t, "skills-toml.md", "### extra_args"))
	for _, flag := range documented {
		if mistake := flagMistakes(t, flag); strings.Contains(mistake, "is not supported") {
			t.Errorf("%s is documented: %s", flag, mistake)
		}
	}
	help := output(t, command(t.TempDir(), "docker", "run", "--help"))
	all := regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)`).FindAllStringSubmatch(help, -1)
	if len(all) < 80 {
		t.Fatalf("docker run --help has %d flags", len(all))
	}
	for _, match := range all {
		flag := match[1]
		if mistake := flagMistakes(t, flag); !strings.Contains(mistake, flag+": is not supported") && !slices.Contains(documented, flag) && flag != "--help" {
			t.Errorf("%s is known and not documented: %s", flag, mistake)
		}
	}
}

func TestTheKeysOfAResultAreTheDocumentedOnes(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "skills.toml"), []byte("[skills.x.docker]\nimage = \"x\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var list struct {
		Tools []struct {
			OutputSchema struct {
				Properties map[string]any `json:"properties"`
			} `json:"outputSchema"`
		} `json:"tools"`
	}
	if err := json.Unmarshal([]byte(output(t, command(dir, skillet, "list", "--json"))), &list); err != nil {
		t.Fatal(err)
	}
	keys := slices.Collect(maps.Keys(list.Tools[0].OutputSchema.Properties))
	same(t, "results", firstCells(section(t, "skills-toml.md", "## What a call returns")), keys)
}

func TestDocumentsNameNothingOfThisMachine(t *testing.T) {
	here, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files := documents(t)
	examples, err := filepath.Glob("../examples/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, examples...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{here, os.TempDir() + "/"} {
			if strings.Contains(string(data), name) {
				t.Errorf("%s names %s", file, name)
			}
		}
		for i, line := range strings.Split(string(data), "\n") {
			if len([]rune(line)) > 400 {
				t.Errorf("%s:%d is %d characters long", file, i+1, len([]rune(line)))
			}
		}
	}
}
