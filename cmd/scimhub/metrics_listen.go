package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/scimhub/scimhub/model"
)

// aside is a listener of its own for metrics and probes, so that the network can keep
// them from whoever may reach the rest. Plain HTTP: nothing that it says is secret.
type aside struct {
	listener net.Listener // nil: there is none, /metrics is where everything else is
	server   *http.Server
}

// openAside listens at address, if it names one.
func openAside(ctx context.Context, address string) (a aside, err error) {
	if address == "" {
		return a, nil
	}
	if a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
		return a, model.Fail(model.Invalid, "metrics.listen: "+address+" cannot be opened", err)
	}
	return a, nil
}

// mountMetrics puts metrics where the configuration wants them: beside everything else, or
// at the address of their own, with the probes.
func (i *instance) mountMetrics(root *mux.Router, metrics http.Handler) {
	if i.aside.listener == nil {
		root.Path("/metrics").Methods(http.MethodGet).Handler(metrics)
		return
	}
	own := mux.NewRouter()
	own.Path("/metrics").Methods(http.MethodGet).Handler(metrics)
	i.mountProbes(own)
	i.aside.server = &http.Server{Handler: i.withHeaders(own), MaxHeaderBytes: 64 << 10, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(i.log.Handler(), slog.LevelDebug)}
}

// serve answers until stop.
func (a aside) serve(log *slog.Logger) {
	if a.server == nil {
		return
	}
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("metrics are not served any more", "error", err)
	}
}

// stop ends it at once: whoever reads metrics comes again.
func (a aside) stop() {
	if a.server != nil {
		_ = a.server.Close()
	}
	if a.listener != nil {
		_ = a.listener.Close() // closed already where it served
	}
}
