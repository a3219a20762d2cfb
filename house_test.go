package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath, Dir  string
	Imports, GoFiles []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var one listed
		if err := decoder.Decode(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// siblings says which packages of this module each package may import: data flows one way.
var siblings = map[string][]string{
	"skillet": {"skillet/internal/cli"},
	"skillet/internal/cli": {"skillet/internal/watch", "skillet/mcpserver", "skillet/mcpserver/bearer", "skillet/mcpserver/streamable", "skillet/policy", "skillet/runtime",
		"skillet/skills"},
	"skillet/mcpserver":                  {"skillet/mcpserver/search", "skillet/mcpserver/spool", "skillet/mcpserver/stdio", "skillet/mcpserver/streamable", "skillet/mcpserver/workdir", "skillet/policy", "skillet/runtime", "skillet/skills"},
	"skillet/mcpserver/search":           nil,
	"skillet/mcpserver/spool":            nil,
	"skillet/mcpserver/workdir":          nil,
	"skillet/mcpserver/stdio":            {"skillet/mcpserver/jsonrpc"},
	"skillet/mcpserver/streamable":       {"skillet/mcpserver/bearer", "skillet/mcpserver/jsonrpc"},
	"skillet/mcpserver/bearer":           nil,
	"skillet/mcpserver/jsonrpc":          nil,
	"skillet/runtime":                    {"skillet/policy", "skillet/runtime/supervisor", "skillet/runtime/supervisor/wire"},
	"skillet/runtime/supervisor":         nil,
	"skillet/runtime/supervisor/program": {"skillet/runtime/supervisor/wire"},
	"skillet/runtime/supervisor/wire":    nil,
	"skillet/policy":                     {"skillet/skills", "skillet/skills/tomldoc"},
	"skillet/skills":                     {"skillet/skills/tomldoc"},
	"skillet/skills/tomldoc":             nil,
	"skillet/examples/client":            nil,
	"skillet/internal/watch":             nil,
	"skillet/internal/testlog":           nil, // of tests only
	"skillet/internal/bench":             nil, // it measures the program as others use it
}

// owners says which packages alone may import what is below a path: each foreign world has one door.
var owners = map[string][]string{
	"github.com/docker/docker":               {"skillet/runtime", "skillet/internal/bench"},
	"github.com/mark3labs/mcp-go":            {"skillet/mcpserver", "skillet/examples/client"},
	"github.com/modelcontextprotocol/go-sdk": {"skillet/internal/bench"},
	"github.com/BurntSushi/toml":             {"skillet/skills/tomldoc"},
	"github.com/santhosh-tekuri":             {"skillet/skills"},
	"github.com/spf13/cobra":                 {"skillet/internal/cli"},
	"github.com/lmittmann/tint":              {"skillet/internal/cli"},
	"github.com/golang-jwt/jwt":              {"skillet/mcpserver/bearer"},
	"github.com/MicahParks":                  {"skillet/mcpserver/bearer"},
	"github.com/fsnotify/fsnotify":           {"skillet/internal/watch"},
	"os/exec":                                {"skillet/internal/bench", "skillet/runtime/supervisor/program"},
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, p := range packages(t) {
		allowed, known := siblings[p.ImportPath]
		if !known {
			if len(p.GoFiles) > 0 {
				t.Errorf("%s is not in the picture: say in house_test.go what it may import", p.ImportPath)
			}
			continue
		}
		for _, path := range p.Imports {
			if strings.HasPrefix(path, "skillet/") && !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s, against the flow of data", p.ImportPath, path)
			}
			for door, owner := range owners {
				if (path == door || strings.HasPrefix(path, door+"/")) && !slices.Contains(owner, p.ImportPath) {
					t.Errorf("%s imports %s, which only %v may", p.ImportPath, path, owner)
				}
			}
		}
	}
}

func TestOnlyTheCommandLineReadsTheEnvironment(t *testing.T) {
	for _, p := range packages(t) {
		// The supervisor's environment is its container's.
		if p.ImportPath == "skillet/internal/cli" || p.ImportPath == "skillet/runtime/supervisor/program" {
			continue
		}
		for _, file := range p.GoFiles {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(node ast.Node) bool {
				selector, ok := node.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if from, ok := selector.X.(*ast.Ident); ok && from.Name == "os" && slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, selector.Sel.Name) {
					t.Errorf("%s/%s reads the environment: it is passed down from internal/cli", p.ImportPath, file)
				}
				return true
			})
		}
	}
}
