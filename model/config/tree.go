package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on a configuration text. The YAML parser recurses and is quadratic in
// the keys of one mapping, so all of them are checked on the tokens, before it runs.
const (
	MaxSize    = 4 << 20 // bytes
	MaxDepth   = 32      // nested mappings and lists
	maxTokens  = 500_000
	maxKeys    = 10_000 // keys of one mapping
	maxColumn  = 200    // where a block entry may begin; bounds block nesting
	maxPerText = 100    // faults of one kind reported before parsing
)

type kind int

const (
	null kind = iota
	text
	number
	boolean
	list
	object
)

// String names the kind as a person would.
func (k kind) String() string {
	return [...]string{"nothing", "text", "a number", "a boolean", "a list", "a mapping"}[k]
}

// style is how a scalar was written; it decides how columns inside it are found.
type style int

const (
	plain style = iota
	singleQuoted
	doubleQuoted
	block
)

// node is one value of the document, free of the YAML library's types.
type node struct {
	kind      kind
	style     style
	line, col int
	text      string // scalars: the value
	entries   []entry
	items     []*node
	path      string
}

type entry struct {
	key       string
	line, col int
	value     *node
}

// grow turns the text into a tree, or says why it cannot.
func grow(file string, src []byte) (*node, []Fault) {
	at := func(line, col int, format string, args ...any) Fault {
		return Fault{File: file, Line: line, Column: col, Message: fmt.Sprintf(format, args...)}
	}
	if len(src) > MaxSize {
		return nil, []Fault{at(1, 1, "the text has %d bytes; the limit is %d", len(src), MaxSize)}
	}
	if line, col, ok := badText(src); ok {
		return nil, []Fault{at(line, col, "the text is not valid UTF-8 or holds a control character")}
	}
	tokens, err := tokenize(string(src))
	if err != nil {
		return nil, []Fault{at(1, 1, "%v", err)}
	}
	if faults := inspect(tokens, at); len(faults) > 0 {
		return nil, faults
	}
	docs, err := parse(tokens)
	if err != nil {
		line, col, message := 1, 1, err.Error()
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.GetToken() != nil {
			p := syntax.GetToken().Position
			line, col, message = p.Line, p.Column, syntax.GetMessage()
		}
		return nil, []Fault{at(line, max(1, col), "not YAML: %s", message)}
	}
	bodies := make([]ast.Node, 0, 1)
	for _, d := range docs {
		if d != nil && d.Body != nil {
			bodies = append(bodies, d.Body)
		}
	}
	if len(bodies) == 0 {
		return &node{kind: object, line: 1, col: 1}, nil
	}
	if len(bodies) > 1 {
		p := bodies[1].GetToken().Position
		return nil, []Fault{at(p.Line, 1, "more than one YAML document; one is wanted")}
	}
	g := grower{at: at}
	return g.node(bodies[0], "", MaxDepth), SortFaults(g.faults)
}

// CheckYAML says whether a YAML text is one that is safe to read, as configurations
// are: text, not nested too deep, without anchors that make a short text stand for a
// huge one. What it means is not looked at.
func CheckYAML(file string, src []byte) []Fault {
	at := func(line, col int, format string, args ...any) Fault {
		return Fault{File: file, Line: line, Column: col, Message: fmt.Sprintf(format, args...)}
	}
	if len(src) > MaxSize {
		return []Fault{at(1, 1, "the text has %d bytes; the limit is %d", len(src), MaxSize)}
	}
	if line, col, ok := badText(src); ok {
		return []Fault{at(line, col, "the text is not valid UTF-8 or holds a control character")}
	}
	tokens, err := tokenize(string(src))
	if err != nil {
		return []Fault{at(1, 1, "%v", err)}
	}
	return inspect(tokens, at)
}

// badText finds the first byte sequence that is not UTF-8 and the first control
// character but tab, line feed and carriage return before one.
func badText(src []byte) (line, col int, bad bool) {
	line, col = 1, 1
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 || r == 0x7f || r < 0x20 && r != '\t' && r != '\n' && r != '\r' ||
			r == '\r' && (i+1 >= len(src) || src[i+1] != '\n') {
			return line, col, true
		}
		if r == '\n' {
			line, col = line+1, 0
		}
		i, col = i+size, col+1
	}
	return 0, 0, false
}

// tokenize and parse turn a panic of the YAML library into an error: a text must
// never end the process.
func tokenize(src string) (tokens token.Tokens, err error) {
	defer guard(&err)
	// Each of these makes a token, of hundreds of bytes, unless it stands in a text.
	brackets := 0
	for _, c := range []byte(src) {
		switch c {
		case '[', ']', '{', '}', ',':
			brackets++
		}
	}
	if brackets > maxTokens {
		return nil, fmt.Errorf("the text has more than %d tokens", maxTokens)
	}
	return lexer.Tokenize(src), nil
}

func parse(tokens token.Tokens) (docs []*ast.DocumentNode, err error) {
	defer guard(&err)
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	return file.Docs, nil
}

func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the YAML parser gave up: %v", r)
	}
}

// inspect checks the limits and refuses what a configuration needs not: anchors
// and aliases (a short text could stand for a huge one), tags, complex keys.
func inspect(tokens token.Tokens, at func(int, int, string, ...any) Fault) []Fault {
	if len(tokens) > maxTokens {
		return []Fault{at(1, 1, "the text has more than %d tokens", maxTokens)}
	}
	var faults []Fault
	depth := 0
	keys := map[int]int{} // column of a block key -> keys so far in that mapping
	for _, t := range tokens {
		if len(faults) >= maxPerText {
			break
		}
		line, col := t.Position.Line, t.Position.Column
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			faults = append(faults, at(line, col, "anchors, aliases and merge keys are not supported; a text that begins with & or * needs quotes"))
		case token.TagType, token.DirectiveType:
			faults = append(faults, at(line, col, "tags and directives are not supported; a text that begins with ! or %% needs quotes"))
		case token.MappingKeyType:
			faults = append(faults, at(line, col, "explicit keys (?) are not supported"))
		case token.SequenceStartType, token.MappingStartType:
			if depth++; depth > MaxDepth {
				return append(faults, at(line, col, "nested more than %d deep", MaxDepth))
			}
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			if col > maxColumn {
				return append(faults, at(line, col, "a list entry may not begin beyond column %d", maxColumn))
			}
		case token.MappingValueType:
			if depth > 0 || t.Prev == nil {
				continue
			}
			c := t.Prev.Position.Column
			for k := range keys {
				if k > c {
					delete(keys, k)
				}
			}
			if keys[c]++; keys[c] > maxKeys || c > maxColumn {
				return append(faults, at(line, col, "a mapping may have %d keys, beginning at most at column %d", maxKeys, maxColumn))
			}
		}
	}
	return faults
}

type grower struct {
	at     func(int, int, string, ...any) Fault
	faults []Fault
}

func (g *grower) node(n ast.Node, path string, depth int) *node {
	out := &node{path: path, line: 1, col: 1}
	if n == nil {
		return out
	}
	if t := n.GetToken(); t != nil {
		out.line, out.col = t.Position.Line, max(1, t.Position.Column)
	}
	if depth == 0 {
		g.faults = append(g.faults, g.at(out.line, out.col, "nested more than %d deep", MaxDepth))
		return out
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		out.kind, out.text = text, n.Value
		switch n.Token.Type {
		case token.SingleQuoteType:
			out.style = singleQuoted
		case token.DoubleQuoteType:
			out.style = doubleQuoted
		}
	case *ast.LiteralNode:
		out.kind, out.style = text, block
		if n.Value != nil {
			out.text = n.Value.Value
		}
	case *ast.IntegerNode:
		out.kind, out.text = number, n.Token.Value
	case *ast.FloatNode:
		out.kind, out.text = number, n.Token.Value
	case *ast.InfinityNode, *ast.NanNode:
		out.kind, out.text = number, n.GetToken().Value
	case *ast.BoolNode:
		out.kind, out.text = boolean, strings.ToLower(n.Token.Value)
	case *ast.SequenceNode:
		out.kind = list
		for i, v := range n.Values {
			out.items = append(out.items, g.node(v, path+Join(i), depth-1))
		}
	case *ast.MappingNode:
		g.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		g.mapping(out, []*ast.MappingValueNode{n}, depth)
	default:
		g.faults = append(g.faults, g.at(out.line, out.col, "%s is not supported here", strings.ToLower(n.Type().String())))
	}
	return out
}

func (g *grower) mapping(out *node, values []*ast.MappingValueNode, depth int) {
	out.kind = object
	seen := make(map[string]int, len(values))
	for i, v := range values {
		kt := v.Key.GetToken()
		e := entry{key: kt.Value, line: kt.Position.Line, col: max(1, kt.Position.Column)}
		if i == 0 && (e.line < out.line || e.line == out.line && e.col < out.col) {
			// The library places a block mapping at its first colon.
			out.line, out.col = e.line, e.col
		}
		path := childPath(out.path, e.key)
		if first, twice := seen[e.key]; twice {
			f := g.at(e.line, e.col, "duplicate key; it stands in line %d already", first)
			f.Path = path
			g.faults = append(g.faults, f)
			continue
		}
		seen[e.key] = e.line
		e.value = g.node(v.Value, path, depth-1)
		if e.value.kind == object || e.value.kind == list || e.value.kind == null {
			// What is said of a mapping as a whole is best shown at its key.
			e.value.line, e.value.col = e.line, e.col
		}
		out.entries = append(out.entries, e)
	}
}

func childPath(parent, key string) string {
	if parent == "" || !plainKey(key) {
		return parent + Join(key)
	}
	return parent + "." + key
}
