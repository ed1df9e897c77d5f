package scim

// ParseSort reads the parameters sortBy and sortOrder (RFC 7644 §3.4.2.3); nil
// without sortBy.
func (t *ResourceType) ParseSort(sortBy, sortOrder string) (*Sort, error) {
	return nil, Errorf(501, "", "sorting is not offered")
}
