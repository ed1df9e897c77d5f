package model

import "strings"

// AuthorityOf is the order in which sources are asked for a fact, by its path as Flat
// has it, under the rules of Merge.
func AuthorityOf(authority map[string][]string, path string, order []string) []string {
	m := merger{authority: make(map[string][]string, len(authority)), order: order}
	for key, list := range authority {
		m.authority[authorityKey(key)] = list
	}
	if whole := wholeOf(path); whole != path {
		return m.sources(path, whole)
	}
	return m.sources(path)
}

// OriginOf is the source that a fact came from, by its path as Flat has it; origin is
// that of Merge.
func OriginOf(origin map[string]string, path string) string {
	if source, ok := origin[path]; ok {
		return source
	}
	return origin[wholeOf(path)]
}

// wholeOf is the attribute or extension that a path is a part of.
func wholeOf(path string) string {
	at := strings.LastIndex(path, ".")
	if isURN(path) {
		at = strings.LastIndex(path, ":")
	}
	if at < 0 {
		return path
	}
	return path[:at]
}
