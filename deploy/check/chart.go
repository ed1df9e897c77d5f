package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// chart lints the chart and renders it with each set of values in values/, the defaults
// among them. It returns how many objects were looked at.
func (c *check) chart(ctx context.Context) int {
	folder := c.path("helm", "scimhub")
	loaded, err := loader.Load(folder)
	if err != nil {
		c.fault("%s: %v", folder, err)
		return 0
	}
	files, err := filepath.Glob(c.path("check", "values", "*.yaml"))
	if err != nil || len(files) == 0 {
		c.fault("no values to render with (%v)", err)
		return 0
	}
	total := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			c.fault("%v", err)
			continue
		}
		values, err := chartutil.ReadValues(text)
		if err != nil {
			c.fault("%s: %v", file, err)
			continue
		}
		for _, m := range lint.All(folder, values, "identity", true).Messages {
			if m.Severity >= support.WarningSev {
				c.fault("helm lint with %s: %s: %v", filepath.Base(file), m.Path, m.Err)
			}
		}
		docs, err := render(loaded, values)
		if err != nil {
			c.fault("%s: %v", filepath.Base(file), err)
			continue
		}
		total += len(docs)
		c.objects(ctx, filepath.Base(file), docs)
	}
	c.refuses(loaded)
	return total
}

// render gives each object of the chart as text, in order of the templates' names.
func render(ch *chart.Chart, values chartutil.Values) ([]string, error) {
	options := chartutil.ReleaseOptions{Name: "prod", Namespace: "identity", Revision: 1, IsInstall: true}
	if err := chartutil.ProcessDependencies(ch, values); err != nil {
		return nil, err
	}
	full, err := chartutil.ToRenderValues(ch, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{Strict: true}.Render(ch, full)
	if err != nil {
		return nil, err
	}
	var docs []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		reader := yaml.NewYAMLReader(bufferOf(files[name]))
		for {
			doc, err := reader.Read()
			if err != nil {
				break
			}
			if strings.TrimSpace(string(doc)) != "" {
				docs = append(docs, string(doc))
			}
		}
	}
	return docs, nil
}

// refuses is what the chart does with values that would make a hub that does not work.
func (c *check) refuses(ch *chart.Chart) {
	for what, values := range map[string]string{
		"config.database":   "config: {database: 'sqlite:/tmp/hub.db'}",
		"migrate.secret":    "migrate: {enabled: true}",
		"replicas":          "replicas: 0",
		"additional":        "replica: 2",
		"image.digest":      "image: {digest: latest}",
		"networkPolicy":     "networkPolicy: {ports: [https]}",
		"secrets.files.0":   "secrets: {files: [{secret: a, path: relative}]}",
		"disruption":        "disruption: {maxUnavailable: []}",
		"image.pullPolicy":  "image: {pullPolicy: Sometimes}",
		"autoscaling.cpu":   "autoscaling: {cpu: 700}",
		"config is missing": "config: null",
	} {
		parsed, err := chartutil.ReadValues([]byte(values))
		if err != nil {
			c.fault("%v", err)
			continue
		}
		if _, err := render(ch, parsed); err == nil {
			c.fault("chart: %s: %q is rendered; it must be refused", what, values)
		}
	}
}

// described is an object's kind and name, for messages.
func described(file, kind, name string) string { return fmt.Sprintf("%s: %s %s", file, kind, name) }
