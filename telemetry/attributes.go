package telemetry

import (
	"errors"
	"net/url"
	"os"
)

// The keys of attributes. docs/traces.md says what they mean.
const (
	AttrRequest   = "scimhub.request"
	AttrChange    = "scimhub.change"
	AttrSource    = "scimhub.source"
	AttrResource  = "scimhub.resource"
	AttrTarget    = "scimhub.target"
	AttrVerb      = "scimhub.verb"
	AttrResult    = "scimhub.result"
	AttrAttempt   = "scimhub.attempt"
	AttrBatch     = "scimhub.batch"
	AttrVersion   = "scimhub.config_version"
	AttrStage     = "scimhub.stage"
	AttrRoles     = "scimhub.roles"
	AttrAccounts  = "scimhub.accounts"
	AttrChanges   = "scimhub.changes"
	AttrReceiver  = "scimhub.receiver"
	AttrEvent     = "scimhub.event"
	AttrMethod    = "http.request.method"
	AttrRoute     = "http.route"
	AttrStatus    = "http.response.status_code"
	AttrStatement = "db.operation.name"
	AttrDatabase  = "db.system.name"
)

// environmentSamples reports whether the environment says which requests are traced; the
// library reads it then.
func environmentSamples() bool { return os.Getenv("OTEL_TRACES_SAMPLER") != "" }

// unquoted is an error without the address that was asked, which may hold a secret.
func unquoted(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
