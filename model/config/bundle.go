package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// A configuration names files: extension schemas and resource types. So that one
// text says everything, at every replica and in the history, the contents travel
// behind it, one line for each file:
//
//	--- {"file":"schemas/device.json","text":"{…}"}
const attached = `--- {"file":`

// attachment is a file that the configuration names.
type attachment struct {
	File  string `json:"file"`
	Text  string `json:"text,omitempty"`
	Fault string `json:"fault,omitempty"` // why there is no text
}

// Bundle returns the text of a configuration with the files it names behind it;
// read gets them, by the names that stand in the text. A file that cannot be read
// becomes a fault of Parse at the place that names it. Files that are attached
// already are kept as they are.
func Bundle(src []byte, read func(file string) ([]byte, error)) []byte {
	own, files, fault := split(src)
	if fault != "" {
		return src
	}
	d := &Document{}
	root, _ := grow("", own)
	if root == nil {
		return src
	}
	(&reader{}).document(root, d)
	for _, name := range slices.Concat(d.Schemas, d.ResourceTypes) {
		if _, ok := files[name]; ok || name == "" {
			continue
		}
		a := attachment{File: name}
		if text, err := read(name); err != nil {
			a.Fault = "cannot be read: " + err.Error()
		} else {
			a.Text = string(text)
		}
		files[name] = a
	}
	return join(own, files)
}

// split parts a text from what is attached to it; fault says what is wrong with
// an attachment.
func split(src []byte) (own []byte, files map[string]attachment, fault string) {
	files = map[string]attachment{}
	at := 0
	if !bytes.HasPrefix(src, []byte(attached)) {
		i := bytes.Index(src, []byte("\n"+attached))
		if i < 0 {
			return src, files, ""
		}
		at = i + 1
	}
	own = src[:at]
	for line := range bytes.Lines(src[at:]) {
		var a attachment
		d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(line, []byte("---"))))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil || a.File == "" || !bytes.HasPrefix(line, []byte(attached)) {
			return src, nil, fmt.Sprintf("behind the first line that begins with %s only lines like it may follow", attached)
		}
		files[a.File] = a
	}
	return own, files, ""
}

func join(own []byte, files map[string]attachment) []byte {
	if len(files) == 0 {
		return own
	}
	out := bytes.Clone(own)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		line, err := json.Marshal(files[name])
		if err != nil {
			continue // two strings always encode
		}
		out = append(append(append(out, "--- "...), line...), '\n')
	}
	return out
}
