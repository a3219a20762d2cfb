package runtime

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"skillet/policy"

	"github.com/docker/docker/api/types/build"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const (
	dockerfile   = "Dockerfile"
	dockerignore = ".dockerignore"
)

// build has the engine build c.Image from c.Build. Its error is a [BuildError] or an [EngineError].
func (r *Runtime) build(ctx context.Context, api dockerAPI, c policy.Container, line func(string)) error {
	var last tail
	fail := func(err error) error {
		return &BuildError{Skill: c.Skill, Image: c.Image, Dir: c.Build, Output: last.lines, Err: err}
	}
	line("building " + c.Image + " from " + c.Build)
	source, err := openBuildContext(c.Build)
	if err != nil {
		return fail(err)
	}
	defer source.close()
	response, err := api.ImageBuild(ctx, source.reader, build.ImageBuildOptions{
		Tags:        []string{c.Image},
		Dockerfile:  dockerfile,
		Platform:    c.Platform,
		Remove:      true,
		ForceRemove: true, // a failed step's container too
		Version:     build.BuilderV1,
	})
	if err == nil {
		defer response.Body.Close()
		err = follow(response.Body, func(text string) { last.add(text); line(text) })
	}
	switch {
	case err == nil:
		return nil
	case source.failure() != nil: // the engine can only say that the archive ended early
		return fail(source.failure())
	case unanswered(err):
		r.engine.forget(api)
		return &EngineError{Address: r.engine.address, Doing: "building the image " + c.Image, Err: err}
	}
	return fail(err)
}

// buildContext is a directory on its way to the engine as a tar archive: regular files, directories, and symbolic links as
// links, which the engine resolves inside of the context. Nothing outside of the directory is read, not through a link
// either. What .dockerignore excludes stays behind. Owner is root, as with `docker build`, so that who builds makes no
// difference to the engine's cache.
type buildContext struct {
	root    *os.Root
	ignored *patternmatcher.PatternMatcher
	reader  *io.PipeReader
	written chan error // gets the archive's end, before the reader does
}

func openBuildContext(dir string) (*buildContext, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if _, err := root.Lstat(dockerfile); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("there is no %s in it: %w", dockerfile, err)
	}
	ignored, err := readDockerignore(root)
	if err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("%s: %w", dockerignore, err)
	}
	reader, writer := io.Pipe()
	b := &buildContext{root: root, ignored: ignored, reader: reader, written: make(chan error, 1)}
	go func() {
		err := b.write(writer)
		b.written <- err
		_ = writer.CloseWithError(err)
	}()
	return b, nil
}

func readDockerignore(root *os.Root) (*patternmatcher.PatternMatcher, error) {
	var patterns []string
	file, err := root.Open(dockerignore)
	switch {
	case err == nil:
		defer file.Close()
		if patterns, err = ignorefile.ReadAll(file); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	// The engine needs these two, whatever they say of themselves.
	return patternmatcher.New(append(patterns, "!"+dockerfile, "!"+dockerignore))
}

// failure is why the archive could not be written, nil when it could, or when it was not wanted to its end: an engine stops
// reading when it has refused the build.
func (b *buildContext) failure() error {
	select {
	case err := <-b.written:
		b.written <- err
		if !errors.Is(err, io.ErrClosedPipe) {
			return err
		}
	default:
	}
	return nil
}

// close ends the archive, if it has not ended, and waits for that.
func (b *buildContext) close() {
	_ = b.reader.Close()
	<-b.written
	_ = b.root.Close()
}

func (b *buildContext) write(to io.Writer) error {
	archive := tar.NewWriter(to)
	err := fs.WalkDir(b.root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == "." {
			return nil
		}
		skip, err := b.ignored.MatchesOrParentMatches(filepath.FromSlash(path))
		switch {
		case err != nil:
			return err
		case !skip:
			return b.add(archive, path, entry)
		case entry.IsDir() && !b.mayInclude(path):
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

// mayInclude tells whether an exception (!dir/file) can bring back something below an excluded directory.
func (b *buildContext) mayInclude(dir string) bool {
	for _, pattern := range b.ignored.Patterns() {
		if pattern.Exclusion() && strings.HasPrefix(filepath.ToSlash(pattern.String())+"/", dir+"/") {
			return true
		}
	}
	return false
}

func (b *buildContext) add(archive *tar.Writer, path string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	var target string
	switch info.Mode().Type() {
	case 0, fs.ModeDir:
	case fs.ModeSymlink:
		if target, err = b.root.Readlink(path); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s is neither a file nor a directory nor a symbolic link: exclude it in %s", path, dockerignore)
	}
	header, err := tar.FileInfoHeader(info, filepath.ToSlash(target))
	if err != nil {
		return err
	}
	header.Name = path
	if info.IsDir() {
		header.Name += "/"
	}
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
	header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
	header.Format = tar.FormatPAX // long names and sub-second times
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	file, err := b.root.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(archive, file)
	return err
}
