package config

// Metrics says where Prometheus reads metrics.
type Metrics struct {
	// Listen is a host:port of its own for /metrics, /healthz and /readyz, plain HTTP; empty:
	// /metrics is where everything else is. Metrics name sources and targets and no person,
	// and nobody is asked for a credential there.
	Listen string
}

func (r *reader) metrics(n *node) (m Metrics) {
	r.need(n, "listen")
	r.fields(n, map[string]func(*node){
		"listen": func(n *node) { m.Listen = r.checked(n, checkListen) },
	})
	return m
}
