// Package spool keeps what programs write beyond what a result has room for, until it is asked for, or for a while.
//
// It keeps it in files that have no name: each is made in the system's directory for temporary files, readable for its
// owner only, and its name is removed before anything is written to it. So nothing is written into anybody's directory,
// nobody can open it by name, and the system frees it when skillet ends, even if that is by SIGKILL. Output that is short
// never becomes a file: its first [memory] bytes are held back, and most calls write less.
//
// What all of it takes is bounded ([Limits]); the oldest output is given up for a new one. Who may read an output is who
// was told its id, and is the client that it was kept for.
package spool
