package tomldoc

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// node is where something stands in a file: a table and its keys, an array and its items, or a single value. All methods
// work on a nil node, which stands nowhere.
type node struct {
	line  int
	place int              // how many nodes come before it in the file
	below map[string]*node // of a table
	items []*node          // of an array
	array bool
}

// at returns what is at a key of a table or at an index of an array, nil when there is nothing.
func (n *node) at(part string) *node {
	switch {
	case n == nil:
		return nil
	case n.array:
		if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(n.items) {
			return n.items[i]
		}
		return nil
	}
	return n.below[part]
}

// locate follows a path as far as the file has it: the line of what it leads to, or of what is nearest around it, and the
// path in TOML's notation, with indices of arrays in brackets.
func (n *node) locate(path []string) (line int, key string) {
	var name strings.Builder
	for _, part := range path {
		if n != nil && n.array {
			name.WriteString("[" + part + "]")
		} else {
			if name.Len() > 0 {
				name.WriteByte('.')
			}
			name.WriteString(toml.Key{part}.String())
		}
		if n = n.at(part); n != nil {
			line = n.line
		}
	}
	return line, name.String()
}

// inOrder sorts keys of a table as the file has them.
func (n *node) inOrder(keys []string) {
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(n.at(a).position(), n.at(b).position()), cmp.Compare(a, b))
	})
}

func (n *node) position() int {
	if n == nil {
		return 0
	}
	return n.place
}
