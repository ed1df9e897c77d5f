package scimserver

import (
	"net/url"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/model/scim"
)

// whole is a resource that is shown entirely and whose attributes are JSON already.
// Only id and meta are written; pages are made of these, so no maps are.
type whole struct {
	t    *scim.ResourceType
	res  scim.Resource
	base string
}

func appendWhole(out []byte, w whole) ([]byte, error) {
	if len(w.res.Encoded) > len("{}") {
		out = append(out, w.res.Encoded[:len(w.res.Encoded)-1]...)
		out = append(out, ',')
	} else {
		out = append(out, '{')
	}
	var err error
	out = append(out, `"id":`...)
	if out, err = appendString(out, w.res.ID); err != nil {
		return out, err
	}
	out = append(out, `,"meta":{`...)
	out = appendTime(out, `"created":"`, w.res.Meta.Created)
	out = appendTime(out, `"lastModified":"`, w.res.Meta.LastModified)
	out = append(out, `"location":`...)
	if out, err = appendString(out, w.base); err != nil {
		return out, err
	}
	if out, err = appendTail(out, w.t.Endpoint+"/"+url.PathEscape(w.res.ID)); err != nil {
		return out, err
	}
	out = append(out, `,"resourceType":`...)
	if out, err = appendString(out, w.t.Name); err != nil {
		return out, err
	}
	out = append(out, `,"version":"W/\"`...)
	out = strconv.AppendInt(out, w.res.Meta.Version, 10)
	return append(out, `\""}}`...), nil
}

// appendTail makes the string that out ends with longer.
func appendTail(out []byte, s string) ([]byte, error) {
	at := len(out) - len(`"`)
	out, err := appendString(out[:at], s)
	if err != nil {
		return out, err
	}
	return append(out[:at], out[at+1:]...), nil
}

// appendTime writes a member of an object and a comma; nothing for no time.
func appendTime(out []byte, key string, at time.Time) []byte {
	if at.IsZero() {
		return out
	}
	out = append(out, key...)
	out = at.UTC().AppendFormat(out, time.RFC3339Nano)
	return append(out, '"', ',')
}
