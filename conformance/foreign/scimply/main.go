// Scimply serves SCIM with github.com/cerberauth/scimply and its store in memory.
// PORT and TOKEN come from the environment.
package main

import (
	"crypto/subtle"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/cerberauth/scimply/schema"
	"github.com/cerberauth/scimply/server"
	"github.com/cerberauth/scimply/store"
)

func main() {
	registry := schema.NewRegistry()
	registry.RegisterDefaults()
	token := []byte(os.Getenv("TOKEN"))
	handler, err := server.New(
		server.WithStore(store.NewMemoryStore()),
		server.WithSchemaRegistry(registry),
		server.WithBasePath("/scim/v2"),
		server.WithLogger(slog.New(slog.DiscardHandler)),
		server.WithBearerTokenAuth(func(given string) (bool, error) {
			return subtle.ConstantTimeCompare([]byte(given), token) == 1, nil
		}),
	)
	if err != nil {
		log.Fatal(err)
	}
	s := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(s.ListenAndServe())
}
