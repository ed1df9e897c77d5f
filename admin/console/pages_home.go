package console

// homePages are those of the overview.
func (c *Console) homePages() []page {
	return []page{{"/", "home", c.home}}
}

// home shows what needs somebody.
func (c *Console) home(*Visit) (any, error) { return nil, nil }
