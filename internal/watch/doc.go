// Package watch tells when files may have changed.
//
//	watch.Run(ctx, log, func() []string {
//		// read the files, and compare them with what was read before
//		return files // that are to be watched from now on
//	})
//
// A file is not watched itself: an editor that writes a new file and renames it to the old one's name would leave the watcher
// with a file that nobody sees any more, and a Kubernetes ConfigMap changes by a symbolic link to a directory that is swapped.
// Watched are the directories in which something could make a path stand for another file, see trail.go: those of the file
// and of all symbolic links on the way to it. What else happens in them is passed over.
//
// Some file systems tell nothing, those of a network or of a virtual machine's host among them; a directory far up may be
// replaced; and the kernel has limits. So the caller is also asked to look now and then without a reason. It has to know by
// itself whether something has changed, which also keeps a file that is touched and not changed from doing anything.
package watch
