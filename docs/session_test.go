package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestSessionsGoAsShown makes the calls that a document shows, with the session that was opened in the place of the shown one.
func TestSessionsGoAsShown(t *testing.T) {
	for _, file := range documents(t) {
		var last *block
		for _, b := range blocks(t, file) {
			switch b.kind {
			case "toml":
				last = b
			case "json session":
				t.Run(b.at(), func(t *testing.T) { sessionGoes(t, last, b) })
			}
		}
	}
}

func sessionGoes(t *testing.T, source, b *block) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "skills.toml"), []byte(source.text()), 0o644); err != nil {
		t.Fatal(err)
	}
	var calls []struct {
		Name      string         `json:"name"`
		Arguments map[string]any `json:"arguments"`
	}
	if err := json.Unmarshal([]byte(b.text()), &calls); err != nil {
		t.Fatal(err)
	}
	opened, answers := "", []string{}
	withServer(t, command(dir, skillet, "serve"), func(call func(string) json.RawMessage) {
		for _, one := range calls {
			if one.Arguments["session"] != "new" {
				one.Arguments["session"] = opened
			}
			params, err := json.Marshal(one)
			if err != nil {
				t.Fatal(err)
			}
			var result struct {
				IsError           bool
				Content           []struct{ Text string }
				StructuredContent struct{ Session string }
			}
			if err := json.Unmarshal(call(string(params)), &result); err != nil || result.IsError {
				t.Errorf("%s: %v %+v", params, err, result)
			}
			if opened == "" {
				opened = result.StructuredContent.Session
			}
			answers = append(answers, result.Content[0].Text)
		}
	})
	if len(answers) != 3 || answers[1] != "42\n" { // as the text above the block says
		t.Errorf("the calls were answered with %q", answers)
	}
}
