package fanout

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
)

//go:embed profiles/*.yaml
var profileFiles embed.FS // immutable

// Profile is model.Profile with what the fan-out makes of it.
type Profile struct{ model.Profile }

// ProfileNames lists the profiles there are, sorted.
func ProfileNames() []string {
	entries, err := profileFiles.ReadDir("profiles")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// ProfileNamed returns a profile; an empty name is generic. An unknown name is a
// model.Invalid error that lists the names there are.
func ProfileNamed(name string) (Profile, error) {
	if name == "" {
		name = "generic"
	}
	if !slices.Contains(ProfileNames(), name) {
		return Profile{}, model.Fail(model.Invalid, fmt.Sprintf("there is no target profile %q; known are %s", name, strings.Join(ProfileNames(), ", ")), nil)
	}
	var p model.Profile
	for _, file := range slices.Compact([]string{"generic", name}) {
		text, err := profileFiles.ReadFile("profiles/" + file + ".yaml")
		if err != nil {
			return Profile{}, fmt.Errorf("profile %s: %w", file, err)
		}
		var faults []config.Fault
		if p, faults = config.ParseProfile(file+".yaml", text, p); len(faults) > 0 {
			return Profile{}, fmt.Errorf("profile %s: %s", file, faults[0].String())
		}
	}
	p.Name = name
	return Profile{p}, nil
}

// ProfileOf is the profile of a target, with what its configuration states anew.
// An unknown name or a contradiction is a model.Invalid error.
func ProfileOf(t model.Target) (Profile, error) {
	p, err := ProfileNamed(t.Profile)
	if err != nil {
		return p, err
	}
	if len(t.Overrides) > 0 {
		if p.Profile, err = config.Override(p.Profile, t.Overrides); err != nil {
			return p, model.Fail(model.Invalid, "target "+t.Name+": "+err.Error(), err)
		}
	}
	if t.Rate.Concurrency > 0 {
		p.Concurrency = t.Rate.Concurrency
	}
	if err := config.CheckProfile(p.Profile); err != nil {
		return p, model.Fail(model.Invalid, "target "+t.Name+": "+err.Error(), err)
	}
	if p.Disable == "delete" && p.deletes() && t.Leaver.Transfer == "required" {
		return p, model.Fail(model.Invalid, "target "+t.Name+": leaver.transfer: required cannot be kept where accounts are switched off by deleting them (disable: delete)", nil)
	}
	return p, nil
}

// GroupFilterable reports whether a filter over groups may name the attribute.
func (p Profile) GroupFilterable(attr string) bool { return names(p.Filters.Groups, attr) }

// Filterable reports whether a filter over users may name the attribute, or a part of
// it: emails in the profile stands for emails.value and emails[type eq "work"].value.
func (p Profile) Filterable(attr string) bool { return names(p.Filters.Users, attr) }

// names reports whether a path or what it is a part of is in a list; "*" is any.
func names(list []string, path string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		if entry == "*" || strings.EqualFold(entry, path) {
			return true
		}
		return len(path) > len(entry) && strings.EqualFold(path[:len(entry)], entry) && strings.ContainsRune(".[:", rune(path[len(entry)]))
	})
}

// deletes reports whether DELETE removes an account.
func (p Profile) deletes() bool {
	return p.Delete == model.DeleteHard || p.Delete == model.DeleteIrreversible
}
