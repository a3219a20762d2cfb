package skills

import (
	"fmt"
	"slices"

	"skillet/skills/tomldoc"
)

// Listing says how clients are told of the tools.
type Listing string

// The values of `tools` in `[server]`.
const (
	ListAll    Listing = "all"    // every tool is listed
	ListSearch Listing = "search" // two are, which find and call the others
)

// ParseListing reads a listing.
func ParseListing(text string) (Listing, error) {
	if all := []string{string(ListAll), string(ListSearch)}; !slices.Contains(all, text) {
		return "", fmt.Errorf("is %q, expected \"all\" or \"search\"", text)
	}
	return Listing(text), nil
}

// server reads [server].
func (l *loader) server(root tomldoc.Table) {
	l.set.Listing = ListAll
	t, ok := root.Table("server")
	if !ok {
		return
	}
	if text, ok := t.String("tools"); ok {
		listing, err := ParseListing(text)
		if err != nil {
			t.Fail("tools", err.Error(), "")
		} else {
			l.set.Listing = listing
		}
	}
	t.Done()
}
