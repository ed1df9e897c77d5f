package scim

type binder struct {
	t    *ResourceType
	d    *Dialect
	elem *Attribute
}

func (b *binder) bind(f Filter) (Filter, error) { return nil, errTodo }
