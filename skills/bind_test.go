package skills_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skillet/skills"
)

// bind makes a call that is expected to be good.
func bind(t *testing.T, skill *skills.Skill, arguments string) skills.Invocation {
	t.Helper()
	inv, err := skill.Bind(json.RawMessage(arguments))
	if err != nil {
		t.Fatalf("%.100s: %v", arguments, err)
	}
	return inv
}

// refusal makes a call that is expected to be wrong, and returns the message without its first line.
func refusal(t *testing.T, skill *skills.Skill, arguments string) string {
	t.Helper()
	inv, err := skill.Bind(json.RawMessage(arguments))
	var wrong skills.ArgErrors
	if !errors.As(err, &wrong) || inv.Image != "" {
		t.Fatalf("%.100s was accepted: %v, %q", arguments, err, inv.Command)
	}
	for _, one := range wrong {
		if one.Skill != skill.Name {
			t.Errorf("%v is of the skill %q", one, one.Skill)
		}
	}
	head, rest, _ := strings.Cut(err.Error(), "\n")
	if head != "wrong arguments for "+skill.Name+":" {
		t.Errorf("got %q", head)
	}
	return rest
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// withSchema is a tool with one parameter p.
func withSchema(t *testing.T, schema string) *skills.Skill {
	t.Helper()
	return one(t, "[skills.x]\ndocker.image = 'a'\nstdin = '{p}'\n[skills.x.parameters.p]\n"+schema)
}

func TestAWrongArgumentIsExplainedWithoutItsValue(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`type = "string"`, `3`, `- p: got number, expected string`},
		{`type = "integer"`, `"3"`, `- p: got string, expected integer`},
		{`type = "integer"`, `3.5`, `- p: got number, expected integer`},
		{`type = "string"`, `null`, `- p: got null, expected string`},
		{`type = ["string", "boolean"]`, `["x"]`, `- p: got array, expected boolean or string`},
		{`enum = ["a", 1, "<b>"]`, `"hunter2"`, `- p: is not one of the allowed values: "a", 1, "<b>"`},
		{`const = "a"`, `"hunter2"`, `- p: has to be "a"`},
		{`pattern = "^[a-z]+$"`, `"hunter2"`, `- p: does not match the pattern ^[a-z]+$`},
		{`format = "date"`, `"hunter2"`, `- p: is not in the format "date"`},
		{`format = "regex"`, `"(hunter2"`, `- p: is not in the format "regex"`},
		{`minimum = 0.5`, `0.25`, `- p: is too small, expected at least 0.5`},
		{`maximum = 9007199254740993`, `9007199254740994`, `- p: is too large, expected at most 9007199254740993`},
		{`exclusiveMinimum = 1`, `1`, `- p: is too small, expected more than 1`},
		{`exclusiveMaximum = 1`, `1`, `- p: is too large, expected less than 1`},
		{`multipleOf = 0.1`, `0.25`, `- p: has to be a multiple of 0.1`},
		{`minLength = 9`, `"hunter2"`, `- p: has 7 characters, expected at least 9`},
		{`maxLength = 3`, `"hünter2"`, `- p: has 7 characters, expected at most 3`},
		{`minItems = 2`, `[1]`, `- p: has 1 items, expected at least 2`},
		{`maxItems = 1`, `[1,2]`, `- p: has 2 items, expected at most 1`},
		{`uniqueItems = true`, `["hunter2",1,"hunter2"]`, `- p: has the same item twice, at [0] and [2]`},
		{`contains.type = "string"`, `[1, 2]`, `- p: has no item of the kind that it has to contain`},
		{"contains.type = 'string'\nminContains = 2", `["hunter2"]`, `- p: has 1 items of the kind that it has to contain, expected at least 2`},
		{`items.type = "string"`, `["a", 1, "b", true]`, "- p[1]: got number, expected string\n- p[3]: got boolean, expected string"},
		{`prefixItems = [{ type = "string" }, false]`, `[1, 2]`, "- p[0]: got number, expected string\n- p[1]: is not allowed here"},
		{`properties.a.type = "string"`, `{"a": 1}`, `- p.a: got number, expected string`},
		{`required = ["a", "b"]`, `{"hunter2": 1}`, "- p.a: is required\n- p.b: is required"},
		{`dependentRequired.a = ["b"]`, `{"a": 1}`, `- p.b: is required together with a`},
		{`propertyNames.maxLength = 1`, `{"ab": 1, "c": 2}`, `- p.ab: has a name that is not allowed`},
		{`additionalProperties = false`, `{"b": 1, "a": 2}`, "- p.a: is no parameter\n- p.b: is no parameter"},
		{"contains.type = 'string'\nmaxContains = 1", `["hunter2", "b"]`, `- p: has 2 items of the kind that it may contain, expected at most 1`},
		{`minProperties = 2`, `{"a": 1}`, `- p: has 1 properties, expected at least 2`},
		{`maxProperties = 1`, `{"a": 1, "b": 2}`, `- p: has 2 properties, expected at most 1`},
		{`not.type = "string"`, `"hunter2"`, `- p: is not allowed here`},
		{`allOf = [{ type = "string" }, { enum = [1] }]`, `true`, "- p: got boolean, expected string\n- p: is not one of the allowed values: 1"},
		{`anyOf = [{ type = "string", minLength = 9 }, { type = "object", required = ["a"] }]`, `"hunter2"`,
			`- p: has none of the allowed forms: has 7 characters, expected at least 9; or got string, expected object`},
		{`anyOf = [{ type = "string" }, { type = "object", required = ["a"] }]`, `{}`,
			`- p: has none of the allowed forms: got object, expected string; or a: is required`},
		{`oneOf = [{ type = "string" }, { minLength = 1 }]`, `"hunter2"`, `- p: fits more than one of the forms of which exactly one is allowed`},
		{"if.type = 'string'\nthen.minLength = 9", `"hunter2"`, `- p: has 7 characters, expected at least 9`},
		{`"$ref" = "#/$defs/a"
		  "$defs".a = { type = "array", items."$ref" = "#/$defs/a" }`, `[[], [[1]]]`, `- p[1][0][0]: got number, expected array`},
		{`type = "number"`, `1e400`, `- p: is a number of more than 400 digits`},
		{`type = "array"`, `[1, {"a": 1e-999999999}]`, `- p[1].a: is a number of more than 400 digits`},
		{``, `[1e400, [` + strings.Repeat("[", 100) + strings.Repeat("]", 101) + `, 1e401]`,
			"- p: has arrays and objects more than 100 deep in each other\n- p[0]: is a number of more than 400 digits\n- p[2]: is a number of more than 400 digits"},
		{`type = "number"`, `1e99999999999999999999`, `- p: is a number of more than 400 digits`},
		{`type = "number"`, strings.Repeat("9", 401), `- p: is a number of more than 400 digits`},
		{`type = "string"`, `"x", "q": "hunter2"`, `- q: is no parameter: known here: p`}, // a name of one letter is near to none
		{`type = "string"`, `"x", "quite another": 1`, `- quite another: is no parameter: known here: p`},
		{`type = "string"`, `"x", "` + strings.Repeat("ü", 100) + `": 1`, `- ` + strings.Repeat("ü", 64) + `…: is no parameter: known here: p`},
	} {
		got := refusal(t, withSchema(t, c.schema), `{"p":`+c.value+`}`)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s of %.60s: %s", c.schema, c.value, diff)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: the message repeats the value: %s", c.schema, got)
		}
	}
}

func TestAllMistakesOfACallAreReportedAtOnceAndInOrder(t *testing.T) {
	skill := one(t, `
[skills.x]
docker.image = "a"
stdin = "{width}{height}{files}{mode}"
[skills.x.parameters]
width = { type = "integer", required = true }
height = { type = "integer", required = true }
files = { type = "array", items.type = "string" }
mode = { enum = ["fast", "slow"] }
`)
	arguments := `{"files": [1,2,3,4,5,6,7,8,9,10,"k"], "mode": "x", "widht": 4, "height": "4", "zzz": 1}`
	want := `- files[0]: got number, expected string
- files[1]: got number, expected string
- files[2]: got number, expected string
- files[3]: got number, expected string
- files[4]: got number, expected string
- files[5]: got number, expected string
- files[6]: got number, expected string
- files[7]: got number, expected string
- files[8]: got number, expected string
- files[9]: got number, expected string
- height: got string, expected integer
- mode: is not one of the allowed values: "fast", "slow"
- widht: is no parameter: did you mean "width"?
- width: is required
- zzz: is no parameter: known here: width, height, files, mode`
	for range 20 {
		if diff := cmp.Diff(want, refusal(t, skill, arguments)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestAMillionMistakesAreNotAMillionLines(t *testing.T) {
	skill := withSchema(t, `items.type = "string"`)
	got := refusal(t, skill, `{"p": [`+strings.Repeat("1,", 1000)+`1]}`)
	if lines := strings.Split(got, "\n"); len(lines) != 51 || lines[50] != "- and 951 more mistakes" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

func TestWhatIsNoObjectOfArgumentsIsRefused(t *testing.T) {
	skill := withSchema(t, ``)
	for arguments, want := range map[string]string{
		`[]`:                       `- the arguments have to be a JSON object, with a property for each parameter`,
		`"p"`:                      `- the arguments have to be a JSON object, with a property for each parameter`,
		`{"p": 1`:                  `- the arguments are no valid JSON`,
		`{"p": hunter2}`:           `- the arguments are no valid JSON`,
		`{"p": NaN}`:               `- the arguments are no valid JSON`,
		`{"p": 01}`:                `- the arguments are no valid JSON`,
		`{"p": 1} {}`:              `- the arguments are more than one JSON value`,
		`{"p": 1} x`:               `- the arguments are more than one JSON value`,
		"{\"p\": \"a\xff\"}":       `- the arguments are no valid UTF-8`,
		strings.Repeat("[", 1<<20): `- the arguments are no valid JSON`,
		`{"p":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`: `- the arguments are no valid JSON`,
	} {
		if diff := cmp.Diff(want, refusal(t, skill, arguments)); diff != "" {
			t.Errorf("%.40s: %s", arguments, diff)
		}
	}
}

func TestNoArgumentsAreAnEmptyObject(t *testing.T) {
	skill := withSchema(t, `default = "d"`)
	for _, arguments := range []string{"", "null", " \n", "{}", " {} "} {
		if got := string(bind(t, skill, arguments).Stdin); got != "d" {
			t.Errorf("%q: got %q", arguments, got)
		}
	}
}

func TestTheLastOfDuplicateArgumentsCounts(t *testing.T) {
	if got := string(bind(t, withSchema(t, `type = "string"`), `{"p": 1, "p": "a", "p": "b"}`).Stdin); got != "b" {
		t.Errorf("got %q", got)
	}
}

func TestBigIntegersAreCheckedAndPassedOnExactly(t *testing.T) {
	skill := withSchema(t, `type = "integer"`)
	for given, want := range map[string]string{
		"12345678901234567890":           "12345678901234567890",
		"-9223372036854775809":           "-9223372036854775809",
		"123456789012345678901234567890": "123456789012345678901234567890",
		"1e30":                           "1" + strings.Repeat("0", 30),
		"9007199254740993.0":             "9007199254740993",
		strings.Repeat("9", 400):         strings.Repeat("9", 400),
	} {
		if got := string(bind(t, skill, `{"p":`+given+`}`).Stdin); got != want {
			t.Errorf("%s became %s", given, got)
		}
	}
}

func TestExpensiveArgumentsAreDoneWithInTime(t *testing.T) {
	for schema, value := range map[string]string{
		`uniqueItems = true`:        "[" + manyNumbers(50000) + "]",
		`type = "number"`:           strings.Repeat("9", 1<<20),
		`multipleOf = 0.0001`:       "1e-390",
		`pattern = "^(a+)+$"`:       `"` + strings.Repeat("a", 50000) + `!"`,
		`items.enum = ["a", "b"]`:   "[" + manyNumbers(50000) + "]",
		`additionalProperties=true`: `{"a":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5001),
		`"$ref" = "#/$defs/a"
		 "$defs".a.anyOf = [{ type = "array", items."$ref" = "#/$defs/a" }, { type = "object" }]`: strings.Repeat("[", 9000) + "1" + strings.Repeat("]", 9000),
	} {
		start := time.Now()
		_, _ = withSchema(t, schema).Bind(json.RawMessage(`{"p":` + value + `}`))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %s", schema, took)
		}
	}
}

func manyNumbers(n int) string {
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = json.Number(strings.Repeat("1", i%30+1) + "." + strings.Repeat("0", i%7+1)).String()
	}
	return strings.Join(numbers, ",")
}

func TestDefaultsAreFilledIn(t *testing.T) {
	skill := one(t, `
[skills.x]
docker.image = "a"
args = ["{n}", "{big}", "{s}", "{list}", { when = "flag", args = ["-f"] }, ["{o}"]]
[skills.x.parameters]
n = { type = "number", default = 0.5 }
big = { type = "integer", default = 9223372036854775807 }
s = { type = "string", default = "", required = true }
list = { type = "array", default = ["a", 1, 2.0] }
flag = { type = "boolean", default = true }
o = { type = "object", default = { a = [1] } }
`)
	if diff := cmp.Diff([]string{"0.5", "9223372036854775807", "", "a", "1", "2", "-f", `{"a":[1]}`}, bind(t, skill, `{}`).Command); diff != "" {
		t.Error(diff)
	}
	given := `{"n": 1, "big": 2, "s": "x", "list": [], "flag": false, "o": {}}`
	if diff := cmp.Diff([]string{"1", "2", "x", `{}`}, bind(t, skill, given).Command); diff != "" {
		t.Error(diff)
	}
}

func TestADefaultHasToBeWhatTheParameterAllows(t *testing.T) {
	for text, want := range map[string]string{
		`type = "integer", default = "1"`:                           `got string, expected integer`,
		`enum = ["a"], default = "b"`:                               `is not one of the allowed values: "a"`,
		`type = "array", items.type = "string", default = ["a", 1]`: `1: got number, expected string`,
		`"$ref" = "#/$defs/d", "$defs".d.maximum = 3, default = 4`:  `is too large, expected at most 3`,
	} {
		got := mistakes(t, tool(`stdin = "{p}"`+"\nparameters.p = { "+text+" }"))
		if want := "f:4: skills.x.parameters.p.default: is not what the parameter allows: " + want; got != want {
			t.Errorf("%s: got %s", text, got)
		}
	}
}

func TestStandardInputIsWhatTheTemplateSays(t *testing.T) {
	for _, c := range []struct {
		stdin, arguments string
		want             []byte
	}{
		{`"{s}"`, `{}`, nil},
		{`"{s}"`, `{"s": ""}`, []byte{}},
		{`"{s}"`, `{"s": "a\u0000b\n-x"}`, []byte("a\x00b\n-x")},
		{`"<{s}{{{n}}}>"`, `{"n": 5}`, []byte("<{5}>")},
		{`"<{s}>"`, `{}`, nil},
		{`"always"`, `{}`, []byte("always")},
		{`""`, `{}`, []byte{}},
		{`"{list}"`, `{"list": [1, "a"]}`, []byte(`[1,"a"]`)},
	} {
		skill := one(t, "[skills.x]\ndocker.image = 'a'\nargs = [['{s}{n}'], '{list}']\nstdin = "+c.stdin+`
parameters = { s = { type = "string" }, n = { type = "integer" }, list = { type = "array" } }`)
		if diff := cmp.Diff(c.want, bind(t, skill, c.arguments).Stdin); diff != "" {
			t.Errorf("%s of %s: %s", c.stdin, c.arguments, diff)
		}
	}
}

func TestASkillWithoutParametersTakesArgumentsAsTheyAre(t *testing.T) {
	skill := one(t, `skills.x.docker = { image = "a", command = ["run"] }`)
	if diff := cmp.Diff([]string{"args", "stdin"}, skill.ParameterNames()); diff != "" || !skill.Raw() {
		t.Errorf("raw is %v, %s", skill.Raw(), diff)
	}
	inv := bind(t, skill, `{"args": ["-rf", "--", "a b", "${HOME}", "{x}", ""], "stdin": "in"}`)
	if diff := cmp.Diff([]string{"run", "-rf", "--", "a b", "${HOME}", "{x}", ""}, inv.Command); diff != "" || string(inv.Stdin) != "in" {
		t.Errorf("standard input %q, %s", inv.Stdin, diff)
	}
	if inv := bind(t, skill, `{}`); len(inv.Command) != 1 || inv.Stdin != nil {
		t.Errorf("without arguments: %q, %q", inv.Command, inv.Stdin)
	}
	if diff := cmp.Diff("- args[1]: got number, expected string\n- argv: is no parameter: did you mean \"args\"?", refusal(t, skill, `{"args": ["a", 1], "argv": []}`)); diff != "" {
		t.Error(diff)
	}
	if inv := bind(t, one(t, `skills.x.docker.image = "a"`), `{}`); inv.Command != nil {
		t.Errorf("the image's own command is replaced by %q", inv.Command)
	}
}

func TestAToolWithArgsOrEmptyParametersIsNotRaw(t *testing.T) {
	for _, text := range []string{`args = ["--version"]`, `parameters = {}`, `stdin = "x"`} {
		skill := one(t, tool(text))
		if skill.Raw() {
			t.Errorf("%s is raw", text)
		}
		refusal(t, skill, `{"args": ["x"]}`)
	}
}

func TestWhatNoProgramCanBeGivenIsRefused(t *testing.T) {
	skill := one(t, `skills.x.docker.image = "a"`)
	long := strings.Repeat("x", 128<<10)
	bind(t, skill, `{"args": ["`+long[1:]+`"]}`)
	for arguments, want := range map[string]string{
		`{"args": ["a\u0000b"]}`:                                     `- args: has a NUL character, which no argument of a program can hold`,
		`{"args": ["` + long + `"]}`:                                 `- args: is longer than 131071 bytes, which is Linux's limit for an argument of a program`,
		`{"args": [` + strings.Repeat(`"`+long[1:]+`",`, 8) + `""]}`: `- the arguments have 1048577 bytes together, and a program can be given 1048576`,
	} {
		if diff := cmp.Diff(want, refusal(t, skill, arguments)); diff != "" {
			t.Errorf("%.40s: %s", arguments, diff)
		}
	}
}

func TestCallsOfOneSkillCanBeMadeAtTheSameTime(t *testing.T) {
	skill := inDirectory(t, takesPath)
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for range 20 {
				if inv, err := skill.Bind(json.RawMessage(`{"p": "-x"}`)); err != nil || inv.Command[0] != "./-x" {
					t.Errorf("got %q, %v", inv.Command, err)
				}
			}
		})
	}
	calls.Wait()
}
