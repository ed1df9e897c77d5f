package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/scimhub/scimhub/model"
)

// connectorCall is a request to an application's own API, filled in.
type connectorCall struct {
	method, address string
	body            []byte // nil: none
}

// evidence is what the application answered.
type evidence struct {
	status int
	text   string // the beginning of it, without secrets
}

// fillConnector puts facts in the place of {id}, {userName}, {successorId} and
// {successor}, each escaped for where it stands: in the path, in the query or in a JSON
// text. Facts never change which host is asked. words say why there is no request; empty:
// there is one.
func fillConnector(c model.Connector, facts map[string]string) (call connectorCall, words string) {
	var missing []string
	fill := func(text string, escape func(string) string) string {
		for _, name := range []string{"id", "userName", "successorId", "successor"} {
			place := "{" + name + "}"
			if !strings.Contains(text, place) {
				continue
			}
			if strings.Trim(facts[name], ".") == "" { // of dots alone it would lead elsewhere
				missing = append(missing, name)
			}
			text = strings.ReplaceAll(text, place, escape(facts[name]))
		}
		return text
	}
	rest, host := c.URL, ""
	if i := strings.Index(rest, "://"); i >= 0 {
		if end := strings.IndexAny(rest[i+3:], "/?#"); end >= 0 {
			host, rest = rest[:i+3+end], rest[i+3+end:]
		} else {
			host, rest = rest, ""
		}
	}
	path, query, hasQuery := strings.Cut(rest, "?")
	call.method, call.address = c.Method, host+fill(path, url.PathEscape)
	if hasQuery {
		call.address += "?" + fill(query, func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") })
	}
	if u, err := url.Parse(call.address); err != nil || u.Host == "" || strings.ContainsAny(host, "{}") {
		return call, "the connector's URL is none once it is filled in"
	}
	body := c.Body
	for _, name := range []string{"id", "userName", "successorId", "successor"} {
		place := "{" + name + "}"
		if strings.Contains(body, place) && facts[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return call, fmt.Sprintf("the request cannot be made: nothing is known for %v; the successor may have no account here", slices.Compact(missing))
	}
	if body == "" {
		return call, ""
	}
	call.body = []byte(strings.NewReplacer("{id}", jsonText(facts["id"]), "{userName}", jsonText(facts["userName"]),
		"{successorId}", jsonText(facts["successorId"]), "{successor}", jsonText(facts["successor"])).Replace(body))
	if !json.Valid(call.body) {
		return call, "the connector's body is no JSON once it is filled in"
	}
	return call, ""
}

// jsonText is a text as it stands between the quotes of a JSON string.
func jsonText(s string) string {
	quoted := string(canonicalJSON(s))
	return quoted[1 : len(quoted)-1]
}

// call sends a request to the application's own API with the target's credentials, at
// the target's pace. Errors are classified as those of SCIM requests.
func (c *Client) call(ctx context.Context, call connectorCall) (evidence, error) {
	got, err := c.exchange(ctx, request{method: call.method, path: "/connector", address: call.address}, call.body)
	if err != nil {
		return evidence{}, err
	}
	return evidence{got.status, excerpt(got.text, got.secrets)}, nil
}
