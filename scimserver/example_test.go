package scimserver_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model/scim"
	"github.com/scimhub/scimhub/scimserver"
	"github.com/scimhub/scimhub/scimserver/memory"
)

// A complete service: a backend, the tokens that may use it, and where it is mounted.
func Example() {
	registry := scim.DefaultRegistry()
	dialect, _ := scim.DialectNamed("okta")
	tokens := &scimserver.Tokens{}
	err := tokens.Replace([]scimserver.Token{{
		Client: scimserver.Client{Source: "okta", Name: "main", Dialect: dialect},
		Hash:   scimserver.HashToken("secret"),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := &scimserver.Handler{
		Backend:  memory.New(registry, memory.Options{NewID: func() string { return "u-1" }}),
		Registry: registry,
		Auth:     tokens.Authenticator(time.Now),
		BaseURL:  scimserver.FixedBase("https://hub.example.com/scim/v2"),
	}
	router := mux.NewRouter().SkipClean(true)
	handler.Mount(router.PathPrefix("/scim/v2").Subrouter())

	r := httptest.NewRequest("POST", "/scim/v2/Users?attributes=userName", strings.NewReader(
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"mira"}`))
	r.Header.Set("Authorization", "Bearer secret")
	w := httptest.NewRecorder()
	router.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))
	fmt.Println(w.Body)
	// Output:
	// 201 https://hub.example.com/scim/v2/Users/u-1
	// {"id":"u-1","schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"mira"}
}
