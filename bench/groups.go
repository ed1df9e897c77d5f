package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// groups measures what is done with a small group and with a large one: what touches one
// member must cost the same in both.
func (r *run) groups(ctx context.Context, db *database) (err error) {
	s, err := r.open(ctx, db, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	c, floor := s.client, s.floor
	for _, size := range []int{100, 10 * r.People} {
		r.Say(fmt.Sprintf("%s: a group of %d", db.kind, size))
		g, err := c.group(ctx, r.serial.Add(1), size)
		if err != nil {
			return err
		}
		steps := []step{
			{fmt.Sprintf("add one member to %d", size), c.addMember(g), floor.addMember, false, 1},
			{fmt.Sprintf("read a group of %d without members", size), func(ctx context.Context, _ int64) error {
				return c.drain(ctx, "/Groups/"+g+"?excludedAttributes=members")
			}, floor.version, false, 1},
		}
		if err := r.measure(ctx, db, "groups", steps, nil); err != nil {
			return err
		}
	}
	return nil
}

// group makes a group with so many members.
func (c *client) group(ctx context.Context, n int64, size int) (string, error) {
	body, err := c.do(ctx, http.MethodPost, "/Groups", fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"group %d"}`, n), http.StatusCreated)
	if err != nil {
		return "", err
	}
	var g struct{ ID string }
	if err := json.Unmarshal(body, &g); err != nil {
		return "", err
	}
	const most = 5000
	for from := 0; from < size; from += most {
		values := make([]string, min(most, size-from))
		for i := range values {
			values[i] = fmt.Sprintf(`{"value":"member-%d-%d"}`, n, from+i)
		}
		if err := c.patchGroup(ctx, g.ID, `{"op":"add","path":"members","value":[`+strings.Join(values, ",")+`]}`); err != nil {
			return "", err
		}
	}
	return g.ID, nil
}

func (c *client) addMember(group string) func(context.Context, int64) error {
	return func(ctx context.Context, n int64) error {
		return c.patchGroup(ctx, group, fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"new-%d"}]}`, n))
	}
}

// patchGroup asks for the answer without members, as a client does that cares for time.
func (c *client) patchGroup(ctx context.Context, id, op string) error {
	body := []byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + op + `]}`)
	_, err := c.do(ctx, http.MethodPatch, "/Groups/"+id+"?excludedAttributes=members", body, http.StatusOK)
	return err
}

// version reads a group's row.
func (f *raw) version(ctx context.Context, _ int64) error {
	var v int64
	return f.db.QueryRowContext(ctx, "SELECT version FROM raw_groups WHERE id = 'g'").Scan(&v)
}
