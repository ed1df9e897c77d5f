package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// scimClient speaks plain SCIM over HTTP, as any HR system does.
type scimClient struct {
	base, token string
	http        http.Client
}

func newSCIMClient(base, token string) *scimClient {
	return &scimClient{base: base, token: token, http: http.Client{Timeout: 30 * time.Second}}
}

// do sends a request and gives the id of the resource that the answer shows.
func (c *scimClient) do(ctx context.Context, method, path string, body any) (id string, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", "application/scim+json")
	req.Header.Set("User-Agent", "scimhub-demo")
	res, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= 300 {
		return "", fmt.Errorf("%s %s: %s: %s", method, path, res.Status, bytes.TrimSpace(answer))
	}
	var shown struct{ ID string }
	if len(answer) > 0 {
		err = json.Unmarshal(answer, &shown)
	}
	return shown.ID, err
}

// create makes a resource.
func (c *scimClient) create(ctx context.Context, endpoint string, document map[string]any) (string, error) {
	return c.do(ctx, http.MethodPost, endpoint, document)
}

// operation is one of a PATCH request, RFC 7644 §3.5.2.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

func (c *scimClient) patch(ctx context.Context, path string, ops ...operation) error {
	_, err := c.do(ctx, http.MethodPatch, path, map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": ops})
	return err
}
