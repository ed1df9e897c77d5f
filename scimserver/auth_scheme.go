package scimserver

// Scheme is one entry of authenticationSchemes in ServiceProviderConfig
// (RFC 7643 §5): a way in that clients may use.
type Scheme struct {
	Type        string `json:"type"` // oauth, oauth2, oauthbearertoken, httpbasic or httpdigest
	Name        string `json:"name"`
	Description string `json:"description"`
	SpecURI     string `json:"specUri,omitempty"`
	Primary     bool   `json:"primary,omitempty"` // at most one of a list is
}

func bearerScheme() Scheme {
	return Scheme{Type: "oauthbearertoken", Name: "Bearer token", Primary: true, SpecURI: "https://www.rfc-editor.org/info/rfc6750",
		Description: "A bearer token in the Authorization header (RFC 6750)"}
}

// Schemes lists the ways in that these credentials open. Bearer tokens are always
// among them: they can be made while the service runs. Client certificates are not:
// the standard has no word for them, and strict clients refuse words it has not.
func (c Credentials) Schemes() []Scheme {
	out := []Scheme{bearerScheme()}
	if len(c.JWT) > 0 {
		out = append(out, Scheme{Type: "oauth2", Name: "JWT access token", SpecURI: "https://www.rfc-editor.org/info/rfc9068",
			Description: "A signed access token of a known issuer, sent as a bearer token (RFC 6750, RFC 9068)"})
	}
	if len(c.Basic) > 0 {
		out = append(out, Scheme{Type: "httpbasic", Name: "HTTP Basic", SpecURI: "https://www.rfc-editor.org/info/rfc7617",
			Description: "A user name and password in the Authorization header (RFC 7617)"})
	}
	return out
}
