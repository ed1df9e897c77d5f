package main

import (
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFindsFaults spoils one thing after another in a copy of what deploys the hub: the
// check has to find each.
func TestFindsFaults(t *testing.T) {
	log.SetOutput(io.Discard)
	program := os.Getenv("SCIMHUB")
	if program == "" {
		program = "true" // configurations are somebody else's to check
	}
	for _, c := range []struct{ file, old, new, want string }{
		{"docker/Dockerfile", "FROM scratch", "FROM debian:12", "not from scratch"},
		{"docker/Dockerfile", "USER 65532:65532", "USER root", "say a number"},
		{"docker/Dockerfile", "HEALTHCHECK", "# HEALTHCHECK", "HEALTHCHECK"},
		{"docker/Dockerfile", "COPY go.mod go.sum ./", "COPY go.mod go.summ ./", "go.summ"},
		{"docker/Dockerfile", "COPY . .", "ADD . .", "use COPY"},
		{"docker/Dockerfile", "FROM --platform=$BUILDPLATFORM golang", "from --platform=$BUILDPLATFORM golang", "casing"},
		{"docker/Dockerfile", "WORKDIR /src", "WORKDIRR /src", "WORKDIRR"},
		{"compose/compose.yaml", "read_only: true", "read_only: false", "read_only"},
		{"compose/compose.yaml", "127.0.0.1:8080:8080", "8080:8080", "open to everybody"},
		{"compose/compose.yaml", "postgres:17-bookworm", "postgres", "no version"},
		{"compose/compose.yaml", "networks: [front, back]", "networks: [front, bakc]", "bakc"},
		{"compose/compose.yaml", "file: hub.yaml", "fiel: hub.yaml", "fiel"},
		{"compose/env.example", "HR_TOKEN=", "HR_TOKEN=changeme", "has a value"},
		{"compose/compose.yaml", "dockerfile: deploy/docker/Dockerfile", "dockerfile: deploy/Dockerfile", "no such file"},
		{"helm/scimhub/templates/deployment.yaml", "readinessProbe", "readinesProbe", "unknown field"},
		{"helm/scimhub/templates/deployment.yaml", "livenessProbe", "# livenessProbe", "httpGet"},
		{"helm/scimhub/templates/deployment.yaml", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "token of the cluster"},
		{"helm/scimhub/templates/service.yaml", `{{- include "scimhub.selector" . | nindent 4 }}`, "{app: hub}", "pods"},
		{"helm/scimhub/templates/_names.tpl", "runAsNonRoot: true", "runAsNonRoot: false", "root"},
		{"helm/scimhub/templates/_names.tpl", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write"},
		{"helm/scimhub/templates/_names.tpl", "capabilities: {drop: [ALL]}", "capabilities: {drop: []}", "restricted"},
		{"helm/scimhub/templates/networkpolicy.yaml", "[Ingress, Egress]", "[Ingress]", "does not limit"},
		{"helm/scimhub/templates/disruption.yaml", "policy/v1", "policy/v1beta1", "not among"},
		{"helm/scimhub/values.yaml", "limits: {memory: 512Mi}", "limits: {}", "limit of memory"},
		{"helm/scimhub/values.yaml", "replicas: 2", "replicas: two", "replicas"},
		{"helm/scimhub/Chart.yaml", "version: 0.1.0", "version: one", "version"},
	} {
		t.Run(c.file+" "+c.new, func(t *testing.T) {
			root := copied(t)
			path := filepath.Join(root, "deploy", c.file)
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), c.old) {
				t.Fatalf("%s has no %q (%v)", c.file, c.old, err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			k := check{root: root, scimhub: program}
			k.chart(t.Context())
			k.compose(t.Context())
			k.dockerfile()
			if all := strings.Join(k.faults, "\n"); !strings.Contains(strings.ToLower(all), strings.ToLower(c.want)) {
				t.Errorf("faults do not say %q:\n%s", c.want, all)
			}
		})
	}
}

// copied is a repository with what deploys the hub, and little else.
func copied(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := filepath.Join(root, "deploy", strings.TrimPrefix(path, ".."))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, to)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o600)
	})
	for _, name := range []string{"go.mod", "go.sum"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(root, name), nil, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return root
}
