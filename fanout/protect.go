package fanout

import (
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// protector holds the compiled protect filters of a target.
type protector struct {
	names   []string
	filters []scim.Filter
	user    *scim.ResourceType
	broken  string // a filter that cannot be read protects everybody
}

// compileProtect reads the filters once per plan. One that cannot be read makes
// everything protected: doing too little is the safe side.
func compileProtect(texts []string) protector {
	p := protector{}
	if len(texts) == 0 {
		return p
	}
	user, ok := scim.DefaultRegistry().Type("User")
	if !ok {
		p.broken = "there is no User type"
		return p
	}
	p.user = user
	for _, text := range texts {
		f, err := scim.ParseFilter(text)
		if err == nil {
			f, err = scim.Bind(f, user)
		}
		if err != nil {
			p.broken = "the filter " + text + " cannot be read"
			return p
		}
		p.names, p.filters = append(p.names, text), append(p.filters, f)
	}
	return p
}

// matches reports the filter that protects the account, as it is, was written or
// should be.
func (p protector) matches(r model.AccountRow) (string, bool) {
	if p.broken != "" {
		return p.broken, true
	}
	if len(p.filters) == 0 {
		return "", false
	}
	for _, a := range []*model.Account{r.Applied, r.Observed, r.Desired} {
		if a == nil {
			continue
		}
		if name, hit := p.matchDoc(r.RemoteID, document(*a)); hit {
			return name, true
		}
	}
	return "", false
}

// matchDoc evaluates the filters on a SCIM user as it is at the target.
func (p protector) matchDoc(id string, attrs map[string]any) (string, bool) {
	if p.broken != "" {
		return p.broken, true
	}
	if len(p.filters) == 0 {
		return "", false
	}
	doc := p.user.SearchDoc(scim.Resource{ID: id, Type: "User", Attrs: attrs})
	for i, f := range p.filters {
		if f.Match(doc) {
			return p.names[i], true
		}
	}
	return "", false
}
