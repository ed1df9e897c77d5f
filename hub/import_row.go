package hub

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/rows"
	"github.com/scimhub/scimhub/model/scim"
)

// rowValues is what a row says, by column; its cells are where.
type rowValues struct {
	row    rows.Row
	texts  map[string]string // of a mapped row
	faults []config.Fault
}

func (s *rowShape) values(row rows.Row) *rowValues {
	v := &rowValues{row: row}
	if s.mapped {
		v.texts = make(map[string]string, len(row.Cells))
		for _, c := range row.Cells {
			flatten(v.texts, c.Name, c.Value)
		}
	}
	return v
}

// has reports whether the row has a cell of a column, or values of a map.
func (v *rowValues) has(column string) bool {
	return v.texts != nil || slices.ContainsFunc(v.row.Cells, func(c rows.Cell) bool { return c.Name == column })
}

// flatten makes texts of what a JSON object holds: members of inner objects are
// name.member, lists are JSON.
func flatten(into map[string]string, name string, value any) {
	switch value := value.(type) {
	case nil:
		into[name] = ""
	case string:
		into[name] = value
	case map[string]any:
		for k, e := range value {
			flatten(into, name+"."+k, e)
		}
	default:
		text, _ := json.Marshal(value)
		into[name] = string(text)
	}
}

// left reports whether the row is to be left out.
func (s *rowShape) left(v *rowValues) bool {
	if s.skip == nil {
		return false
	}
	skip, err := s.skip.Holds(v.texts)
	if err != nil {
		v.faults = append(v.faults, s.fault(v.row.Line, 1, "skip: %v", err))
	}
	return skip
}

// of lists the columns that a row gives values for.
func (s *rowShape) of(v *rowValues) []*rowColumn {
	if s.mapped || len(s.columns) > 0 {
		return s.columns
	}
	var out []*rowColumn
	for _, cell := range v.row.Cells {
		c, known := s.byName[cell.Name]
		if !known {
			var message string
			if c, message = s.column(cell.Name); message != "" {
				v.faults = append(v.faults, s.fault(cell.Line, cell.Column, "%q: %s", cell.Name, message))
				continue
			}
			s.byName[cell.Name] = c
		}
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// value is what a row says of a column; nil: nothing. Of a manager it is the text
// that names them.
func (s *rowShape) value(v *rowValues, c *rowColumn) any {
	if c.expr != nil {
		out, err := c.expr.Value(v.texts)
		if err == nil {
			out, err = s.convert(c, out)
		}
		if err != nil {
			v.faults = append(v.faults, s.fault(v.row.Line, 1, "%s: %v", c.name, err))
		}
		return out
	}
	if s.mapped { // the manager's column
		out := strings.TrimSpace(v.texts[c.name])
		if out == "" {
			return nil
		}
		return out
	}
	for _, cell := range v.row.Cells {
		if cell.Name != c.name {
			continue
		}
		out, err := s.convert(c, cell.Value)
		if err != nil {
			v.faults = append(v.faults, s.fault(cell.Line, cell.Column, "%s: %v", c.name, err))
		}
		return out
	}
	return nil
}

// convert makes of a text what the attribute wants. Other values are for the schema
// to judge.
func (s *rowShape) convert(c *rowColumn, value any) (any, error) {
	text, isText := value.(string)
	if !isText {
		return value, nil
	}
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	if c.attr == nil {
		return text, nil
	}
	if c.attr.Type == scim.TypeDateTime || s.dates[strings.ToLower(c.path.String())] {
		return s.date(c, text)
	}
	switch c.attr.Type {
	case scim.TypeBoolean:
		switch strings.ToLower(text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", text)
	case scim.TypeInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return n, nil
	case scim.TypeDecimal:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", text)
		}
		return f, nil
	}
	return text, nil
}

// date reads a date as the map says that it is written, or as SCIM has it. In an
// attribute that is a dateTime a day is its first moment in the configured zone.
func (s *rowShape) date(c *rowColumn, text string) (any, error) {
	isTime := c.attr.Type == scim.TypeDateTime
	layouts := s.rules.Dates
	if len(layouts) == 0 {
		if _, isMoment := scim.ParseDateTime(text); isMoment || !isTime {
			return text, nil // checked with the rest of the user
		}
		layouts = []string{time.DateOnly}
	}
	for _, layout := range layouts {
		day, err := time.ParseInLocation(layout, text, s.ident.Zone)
		switch {
		case err != nil:
		case isTime:
			return day.Format(time.RFC3339), nil
		default:
			return day.Format(time.DateOnly), nil
		}
	}
	return nil, fmt.Errorf("%q is not a date as in %s", text, strings.Join(layouts, " or "))
}

// known keeps the attributes that the schemas still define.
func (s *rowShape) known(attrs map[string]any) map[string]any {
	body := make(map[string]any, len(attrs)+4)
	for name, v := range attrs {
		extension := slices.ContainsFunc(s.user.Extensions, func(x scim.Extension) bool { return x.Schema.ID == name })
		if _, ok := s.user.Attribute(name); ok || extension {
			body[name] = v
		}
	}
	return body
}

// person makes the attributes that a user has by a row: those before, with what the
// row gives in their place. resolve finds the id of whom a row names as manager.
func (s *rowShape) person(v *rowValues, columns []*rowColumn, before map[string]any, full bool, resolve func(c *rowColumn, text string) (string, error)) (map[string]any, bool) {
	e := bodyEdit{body: s.known(before), fresh: map[string]bool{}}
	active := false
	for _, c := range columns {
		value := s.value(v, c)
		if c.attr != nil && c.path.URI == "" && c.path.Attr == "active" {
			active = value != nil || v.has(c.name)
			if value == nil && active && len(v.faults) == 0 {
				v.faults = append(v.faults, s.at(v, c, "active is empty; write true or false"))
			}
		}
		if text, ok := value.(string); ok && c.manager {
			id, err := resolve(c, text)
			if err != nil {
				v.faults = append(v.faults, s.at(v, c, err.Error()))
			}
			value = map[string]any{"value": id}
			if now, _ := e.extension(c.path.URI)["manager"].(map[string]any); now["value"] == id {
				continue // with whatever else is known of them
			}
		}
		e.set(c, value)
	}
	if full && !active {
		e.body["active"] = true // who is in the full set is here
	}
	if len(v.faults) > 0 {
		return nil, false
	}
	e.body["schemas"] = s.schemas(e.body)
	text, err := json.Marshal(e.body)
	if err != nil {
		v.faults = append(v.faults, s.fault(v.row.Line, 1, "%v", err))
		return nil, false
	}
	return s.checked(v, columns, text)
}

func (s *rowShape) schemas(body map[string]any) []any {
	out := []any{s.user.Schema.ID}
	for _, x := range s.user.Extensions {
		if body[x.Schema.ID] != nil {
			out = append(out, x.Schema.ID)
		}
	}
	return out
}

// checked decodes what a row gives, as a source's own request would be.
func (s *rowShape) checked(v *rowValues, columns []*rowColumn, body []byte) (map[string]any, bool) {
	attrs, err := s.user.Decode(body, s.dialect)
	if err != nil {
		detail := errorText(err)
		v.faults = append(v.faults, s.at(v, s.meant(columns, detail), detail))
		return nil, false
	}
	attrs = withoutSecrets(attrs)
	for _, c := range columns {
		if c.path.Attr == "emails" && c.path.URI == "" {
			if bad := badEmail(attrs); bad != "" {
				v.faults = append(v.faults, s.at(v, c, fmt.Sprintf("%s: %q is not an e-mail address", c.name, bad)))
			}
		}
		if c.attr == nil || !s.dates[strings.ToLower(c.path.String())] {
			continue
		}
		if _, err := model.DateAt(attrs, c.path, s.ident.Zone); err != nil {
			v.faults = append(v.faults, s.at(v, c, err.Error()))
		}
	}
	return attrs, len(v.faults) == 0
}

// meant finds the column that a message of the decoder is about, by the path that it
// begins with.
func (s *rowShape) meant(columns []*rowColumn, detail string) *rowColumn {
	var best *rowColumn
	for _, c := range columns {
		root := scim.Path{URI: c.path.URI, Attr: c.path.Attr}.String()
		if c.attr == nil {
			root = c.path.URI
		}
		if strings.HasPrefix(detail, c.path.String()+":") {
			return c
		}
		if best == nil && strings.HasPrefix(detail, root) {
			best = c
		}
	}
	return best
}

// at is a fault at the cell of a column; nil: at the row.
func (s *rowShape) at(v *rowValues, c *rowColumn, message string) config.Fault {
	if c != nil {
		for _, cell := range v.row.Cells {
			if cell.Name == c.name {
				return s.fault(cell.Line, cell.Column, "%s", message)
			}
		}
	}
	return s.fault(v.row.Line, 1, "%s", message)
}

// badEmail finds a value that cannot be an address: one @, something on both sides,
// no space.
func badEmail(attrs map[string]any) string {
	list, _ := attrs["emails"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		text, _ := m["value"].(string)
		local, domain, ok := strings.Cut(text, "@")
		if text != "" && (!ok || local == "" || domain == "" || strings.ContainsAny(text, " \t\r\n,;") || strings.Contains(domain, "@")) {
			return text
		}
	}
	return ""
}
