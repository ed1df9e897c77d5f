package scim

// MemberScope tells which values of "members" a change can touch, so that a
// backend need not load all members of a large group before Apply. whole means
// that it may depend on or replace all of them; else those named are enough, none
// for a change that does not concern members. It is never too narrow.
//
// Named are: members added by value, removed by a value path whose filter demands
// one of certain values, or removed by a list of values.
func (c Change) MemberScope() (values []string, whole bool) {
	if c.Replace != nil {
		return nil, true
	}
	seen := map[string]bool{}
	for _, o := range c.Patch {
		if o.Path == nil {
			return nil, true
		}
		if o.Path.Attr != "members" || o.Path.URI != "" {
			continue
		}
		named, ok := o.members()
		if !ok {
			return nil, true
		}
		for _, v := range named {
			if !seen[v] {
				seen[v] = true
				values = append(values, v)
			}
		}
	}
	return values, false
}

// members are the values that an operation on members names; false if it may
// concern others.
func (o Operation) members() ([]string, bool) {
	if o.Path.Filter != nil {
		values, ok := filterValues(o.Path.Filter)
		return values, ok && (o.Op == OpRemove || o.Path.Sub != "")
	}
	list, ok := o.Value.([]any)
	if !ok || o.Path.Sub != "" || o.Op == OpReplace {
		return nil, false
	}
	values := make([]string, 0, len(list))
	for _, e := range list {
		m, _ := e.(map[string]any)
		v, ok := m["value"].(string)
		if !ok {
			return nil, false
		}
		values = append(values, v)
	}
	return values, true
}
