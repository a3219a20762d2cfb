// Client is a small MCP client: it starts `skillet serve`, lists the tools, calls each of them on sample files, shows
// what they return and keeps the pictures and files. It is the shortest complete answer to "how do I call skillet from a
// Go program", and it is what `make demo` runs.
//
//	go run ./examples/client -skillet bin/skillet -dir demo
package main

import (
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// calls are the calls to make, in this order: some work on what earlier ones made.
//
//go:embed calls.json
var calls []byte

type call struct {
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
}

func main() {
	skillet := flag.String("skillet", "skillet", "the skillet program")
	config := flag.String("config", "skills.toml", "the skills file")
	samples := flag.String("samples", "examples/samples", "the sample files")
	dir := flag.String("dir", "demo", "the directory to work in; results are kept there")
	flag.Parse()
	if err := run(*skillet, *config, *samples, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(skillet, config, samples, dir string) error {
	var todo []call
	if err := json.Unmarshal(calls, &todo); err != nil {
		return err
	}
	if err := freshCopy(samples, dir); err != nil {
		return err
	}
	server, err := start(skillet, "serve", "--config", config, "--workdir", dir, "--log-level", "warn")
	if err != nil {
		return err
	}
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	tools, err := hello(ctx, server)
	if err != nil {
		return err
	}
	failed, called := 0, map[string]bool{}
	for i, one := range todo {
		called[one.Tool] = true
		if err := show(ctx, server, one, filepath.Join(dir, fmt.Sprintf("result-%02d", i+1))); err != nil {
			fmt.Println("  FAILED:", err)
			failed++
		}
	}
	for _, tool := range tools {
		if !called[tool.Name] {
			return fmt.Errorf("%s was not called: add a call to calls.json", tool.Name)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d calls failed", failed, len(todo))
	}
	where, err := filepath.Abs(dir)
	fmt.Printf("\n%d calls of %d tools, all answered. The pictures, the video and the documents that they made are in %s\n", len(todo), len(tools), where)
	return err
}

// freshCopy makes the directory anew with the sample files in it.
func freshCopy(samples, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.CopyFS(dir, os.DirFS(samples))
}

// start starts the server as a child process that speaks MCP on its standard input and output.
func start(program string, args ...string) (*client.Client, error) {
	return client.NewStdioMCPClientWithOptions(program, nil, args, transport.WithCommandStderrWriter(os.Stderr))
}

// hello introduces the client and lists the tools.
func hello(ctx context.Context, server *client.Client) ([]mcp.Tool, error) {
	var request mcp.InitializeRequest
	request.Params.ProtocolVersion = mcp.LATEST_PROTOCOL_VERSION
	request.Params.ClientInfo = mcp.Implementation{Name: "skillet-example", Version: "1"}
	hello, err := server.Initialize(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("the server did not answer: %w", err)
	}
	list, err := server.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return nil, err
	}
	fmt.Printf("%s %s speaks MCP %s and has these tools:\n", hello.ServerInfo.Name, hello.ServerInfo.Version, hello.ProtocolVersion)
	for _, tool := range list.Tools {
		fmt.Printf("  %-15s %s\n", tool.Name, tool.Title)
	}
	return list.Tools, nil
}

// show makes one call and prints its result. What is no text is kept in files whose names begin with keep.
func show(ctx context.Context, server *client.Client, one call, keep string) error {
	var request mcp.CallToolRequest
	request.Params.Name = one.Tool
	request.Params.Arguments = one.Arguments
	fmt.Printf("\n%s %s\n", one.Tool, shorten(string(one.Arguments), 300))
	begun := time.Now()
	result, err := server.CallTool(ctx, request)
	if err != nil {
		return err
	}
	fmt.Printf("  [%d ms]\n", time.Since(begun).Milliseconds())
	for i, content := range result.Content {
		switch content := content.(type) {
		case mcp.TextContent:
			fmt.Println(indent(shorten(content.Text, 600)))
		case mcp.ImageContent:
			if err := save(fmt.Sprintf("%s-%d.%s", keep, i, strings.TrimPrefix(content.MIMEType, "image/")), content.Data); err != nil {
				return err
			}
		case mcp.AudioContent:
			if err := save(fmt.Sprintf("%s-%d.%s", keep, i, strings.TrimPrefix(content.MIMEType, "audio/")), content.Data); err != nil {
				return err
			}
		case mcp.ResourceLink:
			fmt.Printf("  link to %s (%s)\n", content.Name, content.MIMEType)
		case mcp.EmbeddedResource:
			fmt.Println("  embedded file")
		}
	}
	if result.IsError {
		return errors.New("the result is an error")
	}
	return nil
}

func save(file, encoded string) error {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	fmt.Printf("  picture or sound, kept as %s (%d bytes)\n", file, len(data))
	return os.WriteFile(file, data, 0o644)
}

func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + " …"
	}
	return text
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}
