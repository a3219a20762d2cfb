package runtime

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeTree makes files below a new directory. A content that begins with "->" makes a symbolic link.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "->"); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// readContext gives the archive of a directory, as name -> content; a link's content is its target after "->".
func readContext(dir string) (map[string]string, error) {
	source, err := openBuildContext(dir)
	if err != nil {
		return nil, err
	}
	defer source.close()
	files := map[string]string{}
	for archive := tar.NewReader(source.reader); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, errors.Join(err, source.failure())
		}
		content, _ := io.ReadAll(archive)
		files[header.Name] = string(content)
		if header.Typeflag == tar.TypeSymlink {
			files[header.Name] = "->" + header.Linkname
		}
		if header.Uid != 0 || header.Gid != 0 || header.Uname != "" {
			return nil, errors.New("the archive tells who built")
		}
	}
}

func TestABuildContextIsWhatDockerignoreLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		ignore string
		want   []string
	}{
		"nothing":   {"# a comment\n", []string{".dockerignore", "Dockerfile", "a.txt", "dir/", "dir/b.txt", "dir/sub/", "dir/sub/c.txt", "secret/", "secret/key"}},
		"pattern":   {"**/*.txt\nsecret", []string{".dockerignore", "Dockerfile", "dir/", "dir/sub/"}},
		"exception": {"*\n!dir/sub/c.txt\n", []string{".dockerignore", "Dockerfile", "dir/sub/c.txt"}},
		"itself":    {"Dockerfile\n.dockerignore\nsecret\ndir\n", []string{".dockerignore", "Dockerfile", "a.txt"}},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := readContext(writeTree(t, map[string]string{
				"Dockerfile": "FROM scratch", ".dockerignore": c.ignore, "a.txt": "a", "dir/b.txt": "b", "dir/sub/c.txt": "c", "secret/key": "k",
			}))
			var names []string
			for name := range files {
				names = append(names, name)
			}
			slices.Sort(names)
			if err != nil || !slices.Equal(names, c.want) {
				t.Errorf("%v, %v", names, err)
			}
		})
	}
}

func TestNothingOutsideOfTheDirectoryGetsIntoABuildContext(t *testing.T) {
	outside := writeTree(t, map[string]string{"secret": "s3cret"})
	files, err := readContext(writeTree(t, map[string]string{
		"Dockerfile": "FROM scratch", "link": "->" + outside + "/secret", "dirlink": "->" + outside, "inside": "->Dockerfile",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"link": "->" + outside + "/secret", "dirlink": "->" + outside, "inside": "->Dockerfile"} {
		if files[name] != want {
			t.Errorf("%s: %q", name, files[name])
		}
	}
	for name, content := range files {
		if strings.Contains(content, "s3cret") {
			t.Errorf("%s was followed", name)
		}
	}
	if _, err := readContext(writeTree(t, map[string]string{"Dockerfile": "FROM scratch", ".dockerignore": "->" + outside + "/secret"})); err == nil {
		t.Error("a .dockerignore outside of the directory was read")
	}
}

func TestABuildContextThatCannotBeSentSaysWhy(t *testing.T) {
	if _, err := readContext(writeTree(t, map[string]string{"dockerfile": ""})); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "Dockerfile") {
		t.Errorf("no Dockerfile: %v", err)
	}
	if _, err := readContext(filepath.Join(t.TempDir(), "nosuch")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if _, err := readContext(writeTree(t, map[string]string{"Dockerfile": "", ".dockerignore": "[a"})); err == nil || !strings.Contains(err.Error(), ".dockerignore") {
		t.Errorf("malformed .dockerignore: %v", err)
	}
	path := newSocketPath(t)
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "Dockerfile"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readContext(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "d.sock") {
		t.Errorf("a socket: %v", err)
	}
}

func TestProgressIsToldLineByLine(t *testing.T) {
	for name, c := range map[string]struct {
		stream string
		want   []string
		err    string
	}{
		"build":  {`{"stream":"Step 1/2 : FROM x\n"}{"stream":" ---\u003e 0123\n"}{"stream":"a"}{"stream":"b\nc"}{"aux":{"ID":"1"}}`, []string{"Step 1/2 : FROM x", " ---> 0123", "ab", "c"}, ""},
		"failed": {`{"stream":"Step 1/2\n"}{"errorDetail":{"code":2,"message":"returned 2"},"error":"returned 2"}`, []string{"Step 1/2"}, "returned 2"},
		"pull": {`{"status":"Pulling from x","id":"1"}{"status":"Downloading","id":"a","progress":"1"}{"status":"Downloading","id":"a","progress":"2"}` +
			`{"status":"Done","id":"a"}{"status":"Digest: y"}`, []string{"1: Pulling from x", "a: Downloading", "a: Done", "Digest: y"}, ""},
		"cut off":  {`{"stream":"a\n"}{"str`, []string{"a"}, "broke off"},
		"not json": {`<html>`, nil, "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			err := follow(strings.NewReader(c.stream), func(line string) { lines = append(lines, line) })
			if !slices.Equal(lines, c.want) {
				t.Errorf("%q", lines)
			}
			if (c.err == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestATailKeepsTheLastLines(t *testing.T) {
	var last tail
	for range 100 {
		last.add("x")
	}
	last.add(strings.Repeat("y", 10_000))
	if len(last.lines) != tailLines || len(last.lines[tailLines-1]) > tailLength+len("…") || last.lines[0] != "x" {
		t.Errorf("%d lines", len(last.lines))
	}
}
