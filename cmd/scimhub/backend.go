package main

import (
	"context"
	"net/http"
	"time"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
)

// backend puts the hub behind the SCIM endpoints: who asks comes from the
// request's context there and is an argument here, so that no write can forget it.
type backend struct{ *instance }

func actor(ctx context.Context) hub.Actor {
	c, _ := scimserver.ClientFrom(ctx)
	return hub.Actor{Source: c.Source, Name: c.Name,
		StrictReferences: !c.Dialect.UnresolvedReferences, UniqueGroupNames: c.Dialect.UniqueGroupNames}
}

// unavailable tells the client to come back where the database does not answer.
func unavailable(err error) error {
	if err != nil && model.CodeOf(err) == model.Unavailable {
		return &scimserver.Retry{After: time.Second, Err: &scim.Error{Status: http.StatusServiceUnavailable,
			Detail: "the hub cannot do this at the moment; send it again", Err: err}}
	}
	return err
}

func (b backend) Get(ctx context.Context, t *scim.ResourceType, id string, want scim.Fields) (scim.Resource, error) {
	r, err := b.hub.Get(ctx, actor(ctx), t, id, want)
	return r, unavailable(err)
}

func (b backend) List(ctx context.Context, t *scim.ResourceType, q scim.Query) (scim.Page, error) {
	p, err := b.hub.List(ctx, actor(ctx), t, q)
	return p, unavailable(err)
}

func (b backend) Create(ctx context.Context, t *scim.ResourceType, attrs map[string]any) (scim.Resource, error) {
	r, err := b.hub.Create(soon(ctx), actor(ctx), t, attrs)
	return r, unavailable(err)
}

func (b backend) Modify(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition, c scim.Change, want scim.Fields) (scim.Resource, error) {
	r, err := b.hub.Modify(soon(ctx), actor(ctx), t, id, pre.Check, c, want)
	return r, unavailable(err)
}

func (b backend) Delete(ctx context.Context, t *scim.ResourceType, id string, pre scimserver.Precondition) error {
	return unavailable(b.hub.Delete(soon(ctx), actor(ctx), t, id, pre.Check))
}
