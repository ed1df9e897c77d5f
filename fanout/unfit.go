package fanout

import (
	"strings"

	"github.com/scimhub/scimhub/model"
)

// Unfit says in words why an account cannot be written to the application as it is:
// a value that identifies it, or that the application demands, is too long, holds
// characters that are refused, or is missing. nil: it can. The words come in a fixed
// order. It is for accounts to be made or changed; nobody is kept switched on by it.
func (p Profile) Unfit(a model.Account) []string {
	if len(p.Limits) == 0 {
		return nil
	}
	a = p.Canonical(a)
	var out []string
	if words := p.beyond("userName", a.UserName); words != "" {
		out = append(out, "userName "+words)
	}
	for _, path := range sortedPaths(a.Attrs) {
		if words := p.beyond(path, a.Attrs[path]); words != "" {
			out = append(out, path+" "+words)
		}
	}
	for _, key := range sortedPaths(p.Limits) {
		if p.Limits[key].Required && !ofGroups(key) && !has(a, key) {
			out = append(out, key+missing)
		}
	}
	return out
}

const missing = " is missing, which the application demands"

// unfitField says in words why the application does not take the new value of an
// attribute; empty: it does, or the value is left out.
func (p Profile) unfitField(f model.FieldDiff) string {
	if words := p.beyond(f.Path, f.After); words != "" {
		return f.Path + " " + words
	}
	if f.After != nil || len(p.Limits) == 0 {
		return ""
	}
	for _, key := range sortedPaths(p.Limits) {
		if p.Limits[key].Required && len(limited(key, f.Path, f.Before)) > 0 {
			return f.Path + missing
		}
	}
	return ""
}

// LeftOut says in words which values of an account are not sent because they are
// beyond the application's limits; in the order of their paths.
func (p Profile) LeftOut(a model.Account) []string {
	if len(p.Limits) == 0 {
		return nil
	}
	var out []string
	for _, path := range sortedPaths(a.Attrs) {
		v := p.canonicalValue(plain(a.Attrs[path]), p.most(path))
		if v == nil || p.leaves(path) || p.identifies(path) {
			continue
		}
		if words := p.beyond(path, v); words != "" {
			out = append(out, path+" is left out: it "+words)
		}
	}
	return out
}

func has(a model.Account, key string) bool {
	if strings.EqualFold(key, "userName") {
		return a.UserName != ""
	}
	for path, v := range a.Attrs {
		if len(limited(key, path, v)) > 0 {
			return true
		}
	}
	return false
}
