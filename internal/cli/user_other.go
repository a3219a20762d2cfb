//go:build !unix

package cli

// defaultUser is "", the image's own user, where files have no numeric owner.
func defaultUser(string) string { return "" }
