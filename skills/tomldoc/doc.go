// Package tomldoc reads a TOML file strictly: every key has to be asked for, every value has to have the type that was
// asked for, and everything that is wrong is collected with its line, so that a user sees all mistakes of a file at once.
//
//	doc, err := tomldoc.Parse("skills.toml", data)   // err: the file is no TOML
//	root := doc.Root()
//	version, ok := root.String("version")            // ok is false when absent or of another type
//	for _, skill := range root.Tables("skills") { … } // in the order of the file
//	root.Done()                                      // keys that nobody asked for are mistakes
//	err = doc.Err()                                  // nil, or Errors sorted by line
//
// It exists because the decoder of the TOML library stops at the first value of a wrong type.
package tomldoc
