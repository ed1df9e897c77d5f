package main

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"

	apps "k8s.io/api/apps/v1"
	scaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

func bufferOf(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }

// kinds are the objects that may be in the chart, as Kubernetes knows them.
func kinds() map[string]func() any {
	return map[string]func() any{
		"apps/v1/Deployment":                      func() any { return &apps.Deployment{} },
		"autoscaling/v2/HorizontalPodAutoscaler":  func() any { return &scaling.HorizontalPodAutoscaler{} },
		"batch/v1/Job":                            func() any { return &batch.Job{} },
		"v1/ConfigMap":                            func() any { return &core.ConfigMap{} },
		"v1/Pod":                                  func() any { return &core.Pod{} },
		"v1/Service":                              func() any { return &core.Service{} },
		"v1/ServiceAccount":                       func() any { return &core.ServiceAccount{} },
		"networking.k8s.io/v1/Ingress":            func() any { return &networking.Ingress{} },
		"networking.k8s.io/v1/NetworkPolicy":      func() any { return &networking.NetworkPolicy{} },
		"policy/v1/PodDisruptionBudget":           func() any { return &policy.PodDisruptionBudget{} },
		"monitoring.coreos.com/v1/ServiceMonitor": func() any { return &map[string]any{} },
		"monitoring.coreos.com/v1/PrometheusRule": func() any { return &map[string]any{} },
	}
}

// selectors are what one rendering selects by, and what it makes.
type selectors struct {
	pods map[string]string // labels of the hub's pods
	by   map[string]map[string]string
}

// objects decodes each object strictly, as kubectl does with --validate=strict, and
// holds what runs to what is promised of it.
func (c *check) objects(ctx context.Context, file string, docs []string) {
	s := selectors{by: map[string]map[string]string{}}
	for _, doc := range docs {
		var head struct {
			meta.TypeMeta   `json:",inline"`
			meta.ObjectMeta `json:"metadata"`
		}
		if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
			c.fault("%s: %v in\n%s", file, err, doc)
			continue
		}
		at := described(file, head.Kind, head.Name)
		kind, known := kinds()[head.APIVersion+"/"+head.Kind]
		if !known {
			c.fault("%s: %s is not among what the chart may have", at, head.APIVersion)
			continue
		}
		object := kind()
		if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
			c.fault("%s: %v", at, err)
			continue
		}
		c.object(ctx, at, object, &s)
	}
	for at, by := range s.by {
		if !labels.SelectorFromSet(by).Matches(labels.Set(s.pods)) {
			c.fault("%s: selects %v, which the hub's pods (%v) have not", at, by, s.pods)
		}
	}
	if len(s.by) < 2 {
		c.fault("%s: no service and deployment that select pods", file)
	}
}

func (c *check) object(ctx context.Context, at string, object any, s *selectors) {
	switch o := object.(type) {
	case *apps.Deployment:
		s.pods, s.by[at] = o.Spec.Template.Labels, o.Spec.Selector.MatchLabels
		c.pod(at, o.Spec.Template.Spec, true)
	case *batch.Job:
		c.pod(at, o.Spec.Template.Spec, false)
	case *core.Pod:
		c.pod(at, o.Spec, false)
	case *core.Service:
		s.by[at] = o.Spec.Selector
	case *policy.PodDisruptionBudget:
		s.by[at] = o.Spec.Selector.MatchLabels
	case *networking.NetworkPolicy:
		s.by[at] = o.Spec.PodSelector.MatchLabels
		if len(o.Spec.PolicyTypes) != 2 || len(o.Spec.Egress) == 0 {
			c.fault("%s: does not limit where connections go", at)
		}
	case *core.ConfigMap:
		if text, is := o.Data["hub.yaml"]; is {
			c.rendered(ctx, at, text)
		}
	}
}

// rendered is a configuration that the program has to find right.
func (c *check) rendered(ctx context.Context, at, text string) {
	folder, err := os.MkdirTemp("", "check")
	if err != nil {
		c.fault("%v", err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "hub.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.fault("%s: %v", at, err)
		return
	}
	c.configuration(ctx, path, []string{"SCIMHUB_DATABASE=postgres://scimhub@postgres/scimhub", "SCIMHUB_ADMIN_TOKEN=" + secret, "HR_TOKEN=" + secret, "GIT_TOKEN=" + secret})
}

// pod holds a pod to the restricted profile of Kubernetes and to a read-only file system;
// one that serves is probed, and limited in memory.
func (c *check) pod(at string, p core.PodSpec, serves bool) {
	if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
		c.fault("%s: gets a token of the cluster, which it does not need", at)
	}
	if p.HostNetwork || p.HostPID || p.HostIPC {
		c.fault("%s: has rights of the host", at)
	}
	for _, container := range p.Containers {
		s := container.SecurityContext
		switch {
		case s == nil, s.RunAsNonRoot == nil, !*s.RunAsNonRoot, s.RunAsUser == nil, *s.RunAsUser == 0:
			c.fault("%s: may run as root", at)
		case s.ReadOnlyRootFilesystem == nil, !*s.ReadOnlyRootFilesystem:
			c.fault("%s: may write to its file system", at)
		case s.AllowPrivilegeEscalation == nil, *s.AllowPrivilegeEscalation, s.Capabilities == nil, len(s.Capabilities.Drop) != 1, s.SeccompProfile == nil:
			c.fault("%s: is not limited as the restricted profile asks", at)
		}
		for _, e := range container.Env {
			if e.Value != "" && (strings.Contains(e.Name, "TOKEN") || strings.Contains(e.Name, "PASSWORD")) {
				c.fault("%s: %s is written out; refer to a Secret", at, e.Name)
			}
		}
		if serves && (container.LivenessProbe == nil || container.ReadinessProbe == nil || container.StartupProbe == nil || container.Resources.Limits.Memory().IsZero() || container.Resources.Requests.Cpu().IsZero()) {
			c.fault("%s: needs probes, a limit of memory and a request of CPU", at)
		}
	}
}
