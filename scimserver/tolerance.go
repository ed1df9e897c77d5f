package scimserver

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
)

// methodOverride is the header with which clients that can only POST name another
// method.
const methodOverride = "X-HTTP-Method-Override"

// needs reports whether a tolerance is on, and counts that it was needed.
func (x *exchange) needs(on bool, flag string) bool {
	if seen := x.client.Dialect.Seen; on && seen != nil {
		seen(flag)
	}
	return on
}

// tolerate applies what the client's dialect says about requests as such.
func (x *exchange) tolerate() error {
	d := &x.client.Dialect
	slash := mux.Vars(x.r)["slash"] != ""
	if slash && !x.needs(d.TrailingSlash, scim.FlagTrailingSlash) {
		return scim.Errorf(http.StatusNotFound, "", "there is nothing at %q; without the slash at its end there may be", clip(x.r.URL.Path))
	}
	if name := x.r.Header.Get(methodOverride); name != "" && x.r.Method == http.MethodPost {
		switch name = strings.ToUpper(name); name {
		case http.MethodPut, http.MethodPatch, http.MethodDelete:
			if x.needs(d.MethodOverride, scim.FlagMethodOverride) {
				x.method = name
			}
		}
	}
	return nil
}
