package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestEveryDefaultSkillWorksOnTheSamples(t *testing.T) {
	skills := filepath.Join(root, "skills.toml")
	samples := os.DirFS(filepath.Join(root, "examples/samples"))
	t.Run("stdio", func(t *testing.T) {
		workdir := t.TempDir()
		if err := os.CopyFS(workdir, samples); err != nil {
			t.Fatal(err)
		}
		callEveryTool(t, serveFile(t, skills, workdir).ClientSession)
	})
	for _, version := range []string{older, newer} {
		t.Run("HTTP "+version, func(t *testing.T) {
			s := serveHTTP(t, "", nil, "--config", skills) // the last --config counts
			if err := os.CopyFS(s.workdir, samples); err != nil {
				t.Fatal(err)
			}
			callEveryTool(t, s.connect(t, version, ""))
		})
	}
}

// callEveryTool makes the calls of the example client, and checks that they are of every tool, that every result is what the
// tool's output schema promises, and that there is content of every kind.
func callEveryTool(t *testing.T, session *mcp.ClientSession) {
	t.Helper()
	list, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	schemas, called, kinds := map[string]*jsonschema.Schema{}, map[string]bool{}, map[string]bool{}
	for _, tool := range list.Tools {
		schemas[tool.Name] = compile(t, tool)
	}
	data, err := os.ReadFile(filepath.Join(root, "examples/client/calls.json"))
	if err != nil {
		t.Fatal(err)
	}
	var calls []struct {
		Tool      string
		Arguments json.RawMessage
	}
	if err := json.Unmarshal(data, &calls); err != nil {
		t.Fatal(err)
	}
	for _, call := range calls {
		called[call.Tool] = true
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: call.Tool, Arguments: call.Arguments})
		if err != nil || result.IsError {
			t.Errorf("%s %s: %v %s", call.Tool, call.Arguments, err, texts(result))
			continue
		}
		if err := schemas[call.Tool].Validate(result.StructuredContent); err != nil {
			t.Errorf("%s %s: %v", call.Tool, call.Arguments, err)
		}
		for _, content := range result.Content {
			kinds[fmt.Sprintf("%T", content)] = true
			switch content := content.(type) {
			case *mcp.ImageContent:
				kinds[content.MIMEType] = true
				decode(t, content)
			case *mcp.ResourceLink:
				read, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: content.URI})
				if err != nil || len(read.Contents) != 1 || read.Contents[0].MIMEType != content.MIMEType || len(read.Contents[0].Blob)+len(read.Contents[0].Text) == 0 {
					t.Errorf("%s: %+v %v", content.URI, read, err)
				}
			}
		}
	}
	for _, kind := range []string{"*mcp.TextContent", "*mcp.ImageContent", "image/png", "*mcp.EmbeddedResource", "*mcp.ResourceLink"} {
		if !kinds[kind] {
			t.Errorf("no call returned %s, only %v", kind, kinds)
		}
	}
	for _, tool := range list.Tools {
		if !called[tool.Name] || tool.Title == "" || tool.Description == "" {
			t.Errorf("%s was not called, or has no title or description", tool.Name)
		}
	}
}

// compile makes a validator of a tool's output schema.
func compile(t *testing.T, tool *mcp.Tool) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("tool:output", tool.OutputSchema); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("tool:output")
	if err != nil {
		t.Fatalf("the output schema of %s: %v", tool.Name, err)
	}
	return schema
}

// decode fails unless a picture is of the kind that it is said to be; kinds that Go cannot read are let through.
func decode(t *testing.T, picture *mcp.ImageContent) {
	t.Helper()
	if picture.MIMEType != "image/png" && picture.MIMEType != "image/jpeg" {
		return
	}
	decoded, format, err := image.Decode(bytes.NewReader(picture.Data))
	if err != nil || "image/"+format != picture.MIMEType || decoded.Bounds().Empty() {
		t.Errorf("%d bytes of %s: %s, %v", len(picture.Data), picture.MIMEType, format, err)
	}
}
