package scim

// ParseFilterFor reads a filter that is asked of several resource types (RFC 7644
// §3.4.2.1) and binds it to each, in the order of types. A test that has no meaning
// for a type, because the type has no such attribute or one of another kind, is a
// test on an attribute without value there: only ne, and eq null, hold.
//
// The error is an *Error 400 invalidFilter: for the grammar, for a test that has no
// meaning for any of the types, and for attributes that cannot be asked for.
func (d Dialect) ParseFilterFor(s string, types []*ResourceType) ([]Filter, error) {
	f, err := parseFilter(s, &d)
	if err != nil {
		return nil, err
	}
	shared := &sharedTests{}
	out := make([]Filter, len(types))
	for i, t := range types {
		shared.next = 0
		b := &binder{t: t, d: &d, shared: shared}
		if out[i], err = b.bind(f); err != nil {
			return nil, err
		}
	}
	for _, test := range shared.tests {
		if !test.known {
			return nil, test.fault
		}
	}
	return out, nil
}

// sharedTests keeps, for every test of a filter in the order of the text, whether
// it has a meaning for one of the types. Nil stands for a filter that is asked of
// one type, where every test must have a meaning.
type sharedTests struct {
	tests []sharedTest
	next  int
}

type sharedTest struct {
	known bool
	fault error // the best there is to say if no type knows it
}

// test is the next test of the filter.
func (s *sharedTests) test() *sharedTest {
	if s.next == len(s.tests) {
		s.tests = append(s.tests, sharedTest{})
	}
	s.next++
	return &s.tests[s.next-1]
}

// settle notes the outcome of binding a test, and gives what stands for it.
func (s *sharedTests) settle(bound Filter, err error, f Filter) (Filter, error) {
	if s == nil {
		if err != nil {
			return nil, err
		}
		return bound, nil
	}
	test := s.test()
	switch {
	case err == nil:
		test.known = true
		return bound, nil
	case isRefused(err):
		return nil, err
	case test.fault == nil || isUnknown(test.fault):
		test.fault = noneHas(err)
	}
	return withoutValue(f), nil
}

// noneHas says of an unknown attribute that no type has it, not just the one asked.
func noneHas(err error) error {
	e, ok := AsError(err)
	if !ok || !isUnknown(err) {
		return err
	}
	return &Error{Status: e.Status, Type: e.Type, Detail: e.Detail + ", nor has another resource type", Err: e.Err}
}

// pass goes past the tests of a term that is not bound, because its attribute is
// not there.
func (s *sharedTests) pass(f Filter) {
	if s == nil {
		return
	}
	switch f := f.(type) {
	case And:
		for _, t := range f.Terms {
			s.pass(t)
		}
	case Or:
		for _, t := range f.Terms {
			s.pass(t)
		}
	case Not:
		s.pass(f.Term)
	case ValuePath:
		s.test()
		s.pass(f.Term)
	case Compare, Present:
		s.test()
	}
}

// withoutValue is what a test comes to where its attribute has no value.
func withoutValue(f Filter) Filter {
	c, ok := f.(Compare)
	unassigned := c.Value == nil || c.Value == ""
	if ok && (c.Op == Ne && !unassigned || c.Op == Eq && unassigned) {
		return Not{None{}}
	}
	return None{}
}
