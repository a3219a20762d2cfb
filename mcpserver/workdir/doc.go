// Package workdir tells which files of a directory a call has made or changed, by looking at it before and after: a file is
// new or changed when its size, its time of modification or its inode is another than before, or when there was none.
//
//	watch := traffic.Begin(ctx, directory, workdir.Wanted{Named: outputs, Find: true})
//	…
//	changes := watch.End(ctx)
//
// It looks at no file's content, follows no symlink and reports regular files only. What the call's program, or anybody
// else, can put into the directory must not cost more than it is worth, so that looking has bounds ([Limits]): what lies
// beyond them is not reported, and [Changes.Partial] says so. Of names that begin with a dot nothing is reported either.
//
// A directory does not say who changed it. While several calls write to one, what each has found could be another's: then
// nothing is reported but the files that it had named beforehand ([Changes.Shared]).
//
//   - snapshot.go: what is looked at; changes.go: one call; traffic.go: calls beside each other; stamp.go: one file
package workdir
