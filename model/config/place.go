package config

import "strings"

// index remembers where every value stands.
func (d *Document) index(root *node, src []byte) {
	d.places = map[string]*node{}
	d.lines = strings.Split(string(src), "\n")
	d.visit(root)
}

func (d *Document) visit(n *node) {
	d.places[n.path] = n
	for _, v := range n.items {
		d.visit(v)
	}
	for _, e := range n.entries {
		d.visit(e.value)
	}
}

// Fault makes a fault about the value at a path (see Join). Where the path names
// nothing, the nearest place above it is meant.
func (d *Document) Fault(path, message string) Fault {
	f := Fault{File: d.Name, Line: 1, Column: 1, Path: path, Message: message}
	if n := d.nearest(path); n != nil {
		f.Line, f.Column = n.line, n.col
	}
	return f
}

// FaultIn is Fault about a place inside a text: line (1-based) and column
// (0-based, in characters) of the text at that path. Where the place cannot be
// told, because the text is folded or has escapes, the fault stands at its start.
func (d *Document) FaultIn(path string, line, column int, message string) Fault {
	f := d.Fault(path, message)
	n := d.places[path]
	if n == nil || line < 1 || column < 0 {
		return f
	}
	if n.style == block {
		own := strings.Split(n.text, "\n")
		if row := n.line + line; line <= len(own) && row <= len(d.lines) {
			src := strings.TrimRight(d.lines[row-1], "\r")
			if indent := strings.Index(src, own[line-1]); indent >= 0 && strings.HasSuffix(src, own[line-1]) {
				f.Line, f.Column = row, indent+column+1
			}
		}
		return f
	}
	lead := 0
	if n.style != plain {
		lead = 1
	}
	if line == 1 && n.line <= len(d.lines) {
		src := d.lines[n.line-1]
		if from := byteOffset(src, n.col); from >= 0 && strings.HasPrefix(src[min(len(src), from+lead):], n.text) {
			f.Column += lead + column
		}
	}
	return f
}

func (d *Document) nearest(path string) *node {
	for {
		if n, ok := d.places[path]; ok {
			return n
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return d.places[""]
		}
		path = path[:cut]
	}
}
