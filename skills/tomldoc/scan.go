package tomldoc

import (
	"strings"

	"github.com/BurntSushi/toml"
)

// maxDepth is how deep tables and arrays may lie in each other. The library reads them by recursion and in time that grows
// with the square of the depth.
const maxDepth = 64

// scan finds where the keys and array items of a TOML text stand. The library knows, but tells it only with errors.
//
// What the text means and whether it is TOML at all remains for the library to say: a scan takes whatever looks like a
// key or a value, stops where nothing does, and agrees with the library on every text that is TOML (a fuzz test compares
// the two). tooDeep is the line where maxDepth is exceeded, 0 when it is not.
func scan(text string) (root *node, tooDeep int) {
	s := scanner{text: text, line: 1}
	root = s.node()
	table, depth := root, 0
	for s.blank(); s.pos < len(s.text); s.blank() {
		if s.text[s.pos] == '[' {
			table, depth = s.header(root)
		} else {
			s.pair(table, depth)
		}
	}
	return root, s.tooDeep
}

// scanner walks over the text once. Every method consumes something or stops the scan.
type scanner struct {
	text    string
	pos     int
	line    int
	nodes   int
	tooDeep int
}

func (s *scanner) stop() { s.pos = len(s.text) }

// deeper stops the scan when depth is too much.
func (s *scanner) deeper(depth int) bool {
	if depth > maxDepth {
		s.tooDeep = s.line
		s.stop()
		return true
	}
	return false
}

func (s *scanner) node() *node {
	s.nodes++
	return &node{line: s.line, place: s.nodes}
}

// child returns the node of a key, a new one when the key is new.
func (s *scanner) child(n *node, key string) *node {
	if n.array { // a key below an array of tables belongs to the last of them
		if len(n.items) == 0 {
			return s.node()
		}
		n = n.items[len(n.items)-1]
	}
	if n.below[key] == nil {
		if n.below == nil {
			n.below = map[string]*node{}
		}
		n.below[key] = s.node()
	}
	return n.below[key]
}

// header reads [a.b] or [[a.b]] and returns the table that follows.
func (s *scanner) header(root *node) (table *node, depth int) {
	line := s.line
	array := s.accept("[[")
	if !array {
		s.accept("[")
	}
	table = root
	keys := s.key()
	if s.deeper(len(keys)) {
		return root, 0
	}
	for _, key := range keys {
		table = s.child(table, key)
	}
	if !s.accept("]") || array && !s.accept("]") {
		s.stop()
	}
	if array {
		table.array = true
		table.items = append(table.items, s.node())
		return table, len(keys) + 1 // child finds the item
	}
	table.line = line // not that of a longer header that came before
	return table, len(keys)
}

// pair reads key = value into a table that lies depth deep.
func (s *scanner) pair(table *node, depth int) {
	keys := s.key()
	if depth += len(keys); s.deeper(depth) {
		return
	}
	for _, key := range keys {
		table = s.child(table, key)
	}
	if s.space(); !s.accept("=") {
		s.stop()
		return
	}
	s.space()
	s.value(table, depth)
}

// key reads the parts of a dotted key.
func (s *scanner) key() (parts []string) {
	for {
		s.space()
		start := s.pos
		if s.pos < len(s.text) && strings.IndexByte(`"'`, s.text[s.pos]) >= 0 {
			s.quoted()
			parts = append(parts, unquote(s.text[start:s.pos]))
		} else {
			s.until(" \t\r\n.=]#\"'")
			parts = append(parts, s.text[start:s.pos])
		}
		if s.pos == start {
			s.stop()
		}
		if s.space(); !s.accept(".") {
			return parts
		}
	}
}

// unquote returns what a quoted key says.
func unquote(raw string) string {
	if raw[0] == '"' && strings.Contains(raw, `\`) {
		var key struct{ K string }
		_, _ = toml.Decode("K="+raw, &key) // no TOML, no key: the error comes when the file is decoded
		return key.K
	}
	return strings.Trim(raw, raw[:1])
}

// value reads a value into the node of its key or item.
func (s *scanner) value(n *node, depth int) {
	switch {
	case s.deeper(depth), s.pos == len(s.text):
	case s.accept("["):
		n.array = true
		for s.next("]") {
			item := s.node()
			n.items = append(n.items, item)
			s.value(item, depth+1)
		}
	case s.accept("{"):
		for s.next("}") {
			s.pair(n, depth)
		}
	case s.text[s.pos] == '"', s.text[s.pos] == '\'':
		s.quoted()
	default: // a number, a boolean, or a date, which may have a space in it
		start := s.pos
		if s.until(",]}#\n"); s.pos == start {
			s.stop()
		}
	}
}

// next goes to the next item of an array or inline table; false after the last, whose end it consumes.
func (s *scanner) next(end string) bool {
	for s.blank(); s.accept(","); s.blank() {
	}
	return !s.accept(end) && s.pos < len(s.text)
}

// quoted reads a string in any of TOML's four quotations.
func (s *scanner) quoted() {
	quote := s.text[s.pos : s.pos+1]
	end := quote
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.pos:], triple) {
		end = triple
	}
	s.pos += len(end)
	for s.until(quote + "\\\n"); s.pos < len(s.text); s.until(quote + "\\\n") {
		switch {
		case s.accept(end):
			for len(end) == 3 && s.accept(quote) {
				// the first of them were the last characters of the text
			}
			return
		case quote == `"` && s.text[s.pos] == '\\' && s.pos+1 < len(s.text) && s.text[s.pos+1] != '\n':
			s.pos += 2
		default:
			s.countLine()
			s.pos++
		}
	}
}

// blank goes over white space, line ends and comments.
func (s *scanner) blank() {
	for ; s.pos < len(s.text); s.pos++ {
		if s.text[s.pos] == '#' {
			s.until("\n")
		}
		if s.pos == len(s.text) || strings.IndexByte(" \t\r\n", s.text[s.pos]) < 0 {
			return
		}
		s.countLine()
	}
}

func (s *scanner) countLine() {
	if s.text[s.pos] == '\n' {
		s.line++
	}
}

func (s *scanner) space() {
	for s.pos < len(s.text) && (s.text[s.pos] == ' ' || s.text[s.pos] == '\t') {
		s.pos++
	}
}

// until goes to the next of some characters, or to the end.
func (s *scanner) until(chars string) {
	if i := strings.IndexAny(s.text[s.pos:], chars); i >= 0 {
		s.pos += i
	} else {
		s.stop()
	}
}

// accept consumes a text if it is next.
func (s *scanner) accept(text string) bool {
	if strings.HasPrefix(s.text[s.pos:], text) {
		s.pos += len(text)
		return true
	}
	return false
}
