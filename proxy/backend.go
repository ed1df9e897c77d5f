package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/model/store"
	"github.com/scimhub/scimhub/scimserver"
)

// backend makes a target a service provider for one caller.
type backend struct {
	proxy  *Proxy
	remote fanout.Remote
	caller Caller
}

var _ scimserver.Backend = backend{}

func idOf(doc map[string]any) string {
	for _, name := range []string{"id", "ID", "Id"} {
		if id, ok := doc[name]; ok {
			return fmt.Sprint(id)
		}
	}
	return ""
}

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// permit asks the policy.
func (b backend) permit(d deed) error {
	err := permit(b.caller, b.remote.Target.Mode, b.irreversible(d), d)
	return translated(err)
}

func (b backend) irreversible(d deed) bool {
	if d.kind == "Group" {
		return b.remote.Profile.DeleteGroup == model.DeleteIrreversible
	}
	return b.remote.Profile.Delete == model.DeleteIrreversible
}

// Get reads one resource.
func (b backend) Get(ctx context.Context, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	if err := b.permit(deed{verb: "read", kind: t.Name}); err != nil {
		return scim.Resource{}, err
	}
	return b.read(ctx, t, id)
}

func (b backend) read(ctx context.Context, t *scim.ResourceType, id string) (scim.Resource, error) {
	doc, err := b.remote.Client.Resource(ctx, t.Endpoint, id)
	if fanout.ClassOf(err) == fanout.Missing {
		return scim.Resource{}, scimserver.NotFound(t, id)
	}
	if err != nil {
		return scim.Resource{}, translated(err)
	}
	return shown(t, idOf(doc), doc), nil
}

// Create makes an account or a group.
func (b backend) Create(ctx context.Context, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	if err := b.permit(deed{verb: "create", kind: t.Name}); err != nil {
		return scim.Resource{}, err
	}
	var r scim.Resource
	var err error
	if t.Name == "Group" {
		r, err = b.createGroup(ctx, t, attrs)
	} else {
		var u fanout.RemoteUser
		a := b.remote.Profile.Canonical(account(attrs))
		if words := b.remote.Profile.Unfit(a); len(words) > 0 {
			return r, scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "%s", words[0])
		}
		if u, err = b.remote.Client.Create(ctx, a); err == nil {
			r = shown(t, u.ID, u.Attrs)
			if u.Attrs == nil {
				r.Attrs = attrs
			}
		}
	}
	if err != nil {
		return scim.Resource{}, b.failed(ctx, "create", t, "", err)
	}
	return r, b.done(ctx, "create", t, r.ID, nil, false)
}

// Modify changes a resource: what the change does to the resource as the target shows
// it is written in the target's own dialect.
func (b backend) Modify(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition, c scim.Change, _ scim.Fields) (scim.Resource, error) {
	if t.Name == "Group" {
		return b.modifyGroup(ctx, t, id, pre, c)
	}
	defer b.proxy.alone(id)()
	before, err := b.read(ctx, t, id)
	if err == nil {
		err = pre.Check(before.Meta)
	}
	if err != nil {
		return scim.Resource{}, err
	}
	after, changed, err := c.Apply(t, before)
	if err != nil || !changed {
		return before, err
	}
	from, to := account(before.Attrs), account(after.Attrs)
	d, err := b.deed(ctx, "update", t, id, before)
	if from.Active && !to.Active {
		d.verb = "disable"
	}
	if err == nil {
		err = b.permit(d)
	}
	if err != nil {
		return scim.Resource{}, err
	}
	to = b.remote.Profile.Canonical(to)
	if words := b.remote.Profile.Unfit(to); len(words) > 0 {
		return scim.Resource{}, scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "%s", words[0])
	}
	u, err := b.remote.Client.Update(ctx, id, b.remote.Profile.Canonical(from), to)
	if err != nil {
		return scim.Resource{}, b.failed(ctx, d.verb, t, id, err)
	}
	if err := b.done(ctx, d.verb, t, id, fieldsOf(before.Attrs, after.Attrs), d.removes()); err != nil {
		return scim.Resource{}, err
	}
	if u != nil && u.Attrs != nil {
		return shown(t, id, u.Attrs), nil
	}
	return b.read(ctx, t, id)
}

// Delete removes a resource.
func (b backend) Delete(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition) error {
	defer b.proxy.alone(id)()
	before, err := b.read(ctx, t, id)
	if err == nil {
		err = pre.Check(before.Meta)
	}
	if err != nil {
		return err
	}
	d, err := b.deed(ctx, "delete", t, id, before)
	if err == nil {
		err = b.permit(d)
	}
	switch {
	case err != nil:
		return err
	case t.Name == "User" && b.remote.Profile.Delete == model.DeleteForbidden:
		return scim.Errorf(http.StatusNotImplemented, "", "accounts cannot be deleted at this application: set active to false")
	case t.Name == "Group":
		err = b.remote.Client.DeleteGroup(ctx, id)
	default:
		err = b.remote.Client.Delete(ctx, id)
	}
	if err != nil {
		return b.failed(ctx, "delete", t, id, err)
	}
	return b.done(ctx, "delete", t, id, nil, true)
}

// deed gathers what the policy needs to know of a resource that is there.
func (b backend) deed(ctx context.Context, verb string, t *scim.ResourceType, id string, r scim.Resource) (deed, error) {
	d := deed{verb: verb, kind: t.Name}
	target := b.remote.Target
	if t.Name == "Group" {
		groups, err := b.proxy.Store.TargetGroups(ctx, target.Name)
		if err != nil {
			return d, fmt.Errorf("read groups: %w", err)
		}
		for _, g := range groups {
			d.managed = d.managed || (g.RemoteID == id && g.Owned != "")
		}
	} else {
		rows, err := b.proxy.Store.AccountsByRemote(ctx, target.Name, []string{id})
		if err != nil {
			return d, fmt.Errorf("read accounts: %w", err)
		}
		for _, row := range rows {
			d.managed = d.managed || row.Owned != ""
		}
		userName, _ := r.Attrs["userName"].(string)
		u := fanout.RemoteUser{ID: id, UserName: userName, Attrs: r.Attrs}
		d.protected, _ = b.remote.Protected(u)
		d.destroys, d.owner = b.remote.Destroys(u), b.remote.OwnsCredential(u)
	}
	since := b.proxy.Now().Add(-target.Guard.Span())
	gone, err := b.proxy.Store.Removals(ctx, target.Name, since)
	if err != nil {
		return d, fmt.Errorf("count removals: %w", err)
	}
	population, err := b.proxy.Store.Population(ctx, target.Name, since)
	if err != nil {
		return d, fmt.Errorf("count accounts: %w", err)
	}
	d.removals, d.limit = gone+1, max(target.Guard.Limit(population), 1)
	if t.Name == "Group" && verb == "delete" { // whoever is in it loses it
		n, err := b.membersUpTo(ctx, id, d.limit+1)
		if err != nil {
			return d, err
		}
		d.removals = gone + max(n, 1)
	}
	return d, nil
}

// done audits what was carried out, and counts what took access away.
func (b backend) done(ctx context.Context, verb string, t *scim.ResourceType, id string, fields []string, removed bool) error {
	data := map[string]any{"token": b.caller.Name, "resource": t.Name, "id": id}
	if len(fields) > 0 {
		data["attributes"] = fields
	}
	return b.proxy.audit(ctx, b.remote.Target.Name, b.caller.Name, verb, id, data, removed)
}

// failed audits what the target refused; the client is told why.
func (b backend) failed(ctx context.Context, verb string, t *scim.ResourceType, id string, cause error) error {
	data := map[string]any{"token": b.caller.Name, "resource": t.Name, "id": id, "result": "failed", "error": cause.Error()}
	if err := b.proxy.audit(ctx, b.remote.Target.Name, b.caller.Name, verb, id, data, false); err != nil {
		return err
	}
	return translated(cause)
}

// audit stores what was done through the proxy.
func (p *Proxy) audit(ctx context.Context, target, actor, verb, id string, data map[string]any, removed bool) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return p.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if removed {
			if err := tx.CountRemoval(target, "proxy "+id); err != nil {
				return err
			}
		}
		return tx.Audit(store.AuditEntry{Actor: actor, Action: "proxy." + verb, Object: "target/" + target, Data: body})
	})
}
