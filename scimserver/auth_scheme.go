package scimserver

// Scheme is one entry of authenticationSchemes in ServiceProviderConfig
// (RFC 7643 §5): a way in that clients may use.
type Scheme struct {
	Type        string `json:"type"` // oauth, oauth2, oauthbearertoken, httpbasic or httpdigest; a client certificate has no word there
	Name        string `json:"name"`
	Description string `json:"description"`
	SpecURI     string `json:"specUri,omitempty"`
	Primary     bool   `json:"primary,omitempty"` // at most one of a list is
}
