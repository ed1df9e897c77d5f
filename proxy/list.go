package proxy

import (
	"context"
	"fmt"
	"iter"
	"net/http"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// ledgerPage is how many of the hub's own rows are read at a time.
const ledgerPage = 200

// List streams what the target shows. A filter is handed on as far as the target
// knows it, and checked here in any case; what it does not know is looked for in the
// whole list, or, where lists of the target cannot be trusted, among the accounts that
// the hub knows, each read by itself.
func (b backend) List(ctx context.Context, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	if err := b.permit(deed{verb: "read", kind: t.Name}); err != nil {
		return scim.Page{}, err
	}
	if !b.remote.Profile.Has(t.Name) {
		return scim.Page{}, scim.Errorf(http.StatusNotImplemented, "", "%s has no %s resources", b.remote.Target.Name, t.Name)
	}
	total := 0
	docs, counted := b.source(ctx, t, q, &total)
	return scim.Page{StartIndex: q.StartIndex, Counted: func() int { return total },
		Stream: func(yield func(scim.Resource, error) bool) {
			b.stream(t, q, docs, counted, &total, yield)
		}}, nil
}

// stream shows the part of the list that was asked for. Where the target does not
// count what the filter leaves, everything is looked at to count it.
func (b backend) stream(t *scim.ResourceType, q scim.Query, docs iter.Seq2[map[string]any, error], counted bool, total *int, yield func(scim.Resource, error) bool) {
	matched := 0
	for doc, err := range docs {
		if err != nil {
			yield(scim.Resource{}, translated(err))
			return
		}
		r := shown(t, idOf(doc), doc)
		if q.Filter != nil && !q.Filter.Match(t.SearchDoc(r)) {
			continue
		}
		matched++
		if !counted && (matched < q.StartIndex || matched >= q.StartIndex+q.Count) {
			continue
		}
		if !yield(r, nil) {
			return
		}
	}
	if !counted {
		*total = matched
	}
}

// source is where resources come from. counted says that the target pages and counts
// by itself.
func (b backend) source(ctx context.Context, t *scim.ResourceType, q scim.Query, total *int) (docs iter.Seq2[map[string]any, error], counted bool) {
	skip := ""
	if t.Name == "Group" && !q.Fields.Wants("members") && q.Filter == nil { // a filter may look at members
		skip = "members"
	}
	ask := fanout.Query{Endpoint: t.Endpoint, Start: 1, Most: -1, Skip: skip}
	if attr, value, ok := equality(q.Filter); ok && b.remote.Profile.Searchable(t.Endpoint, attr) {
		ask.Filter = fmt.Sprintf("%s eq %s", attr, quoted(value))
		return b.remote.Client.Query(ctx, ask, new(int)), false
	}
	if !b.remote.Profile.ListTrustworthy && t.Name == "User" {
		return b.ledger(ctx), false
	}
	if q.Filter != nil {
		return b.remote.Client.Query(ctx, ask, new(int)), false
	}
	ask.Start, ask.Most = q.StartIndex, q.Count
	return b.remote.Client.Query(ctx, ask, total), true
}

// ledger reads the accounts that the hub knows, one by one. What is gone is left out.
func (b backend) ledger(ctx context.Context) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		for after := ""; ; {
			rows, err := b.proxy.Store.Accounts(ctx, b.remote.Target.Name, after, ledgerPage)
			if err != nil {
				yield(nil, fmt.Errorf("read accounts: %w", err))
				return
			}
			if len(rows) == 0 {
				return
			}
			after = rows[len(rows)-1].Identity
			for _, row := range rows {
				if row.RemoteID == "" || (row.Owned == "" && row.State != model.StateUnknown) {
					continue
				}
				doc, err := b.remote.Client.Resource(ctx, "/Users", row.RemoteID)
				if fanout.ClassOf(err) == fanout.Missing {
					continue
				}
				if !yield(doc, err) || err != nil {
					return
				}
			}
		}
	}
}

// equality is the one `attr eq "text"` that decides a filter: the filter itself, or a
// term of those joined by and.
func equality(f scim.Filter) (attr, value string, ok bool) {
	switch n := f.(type) {
	case scim.And:
		for _, term := range n.Terms {
			if attr, value, ok = equality(term); ok {
				return attr, value, true
			}
		}
	case *scim.And:
		return equality(*n)
	case scim.Compare:
		text, isText := n.Value.(string)
		if n.Op == "eq" && isText && n.Path.Filter == nil && text != "" {
			return n.Path.String(), text, true
		}
	case *scim.Compare:
		return equality(*n)
	}
	return "", "", false
}
