package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/fanout"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/config"
	"github.com/scimhub/scimhub/model/store"
)

// configOf reads what is needed before there is a database: its address, and
// where to listen. Faults are the caller's business.
func configOf(name string, text []byte) *config.Document {
	doc, _ := config.Parse(name, text)
	return doc
}

// checkProfiles finds targets whose profile does not exist.
func checkProfiles(doc *config.Document) []config.Fault {
	var out []config.Fault
	for _, t := range doc.Targets {
		if _, err := fanout.ProfileNamed(t.Profile); err != nil {
			out = append(out, doc.Fault(config.Join("targets", t.Name, "profile"), err.Error()))
		} else if _, err := fanout.ProfileOf(t); err != nil {
			out = append(out, doc.Fault(config.Join("targets", t.Name), err.Error()))
		}
	}
	return out
}

func databaseExists(dsn string) bool {
	path, isFile := strings.CutPrefix(dsn, "sqlite:")
	if !isFile {
		return true
	}
	_, err := os.Stat(path)
	return err == nil
}

// configure decides which configuration is served. file is the one started with,
// fileErr what is wrong with it.
//
//	active version   file                  served
//	---------------------------------------------------------------
//	none             faulty                nothing: the faults are the error
//	none             good                  the file, as version 1
//	same text        –                     the active one
//	other text       faulty                the active one; the faults are said
//	other text       was rolled back       the active one; the reason is said
//	other text       a guard would hold    the active one; the reason is said
//	other text       good                  the file, as the next version
//
// Where it takes long to find out what the file would do, the active one is served
// meanwhile.
func (i *instance) configure(ctx context.Context, o instanceOptions, file *hub.Snapshot, fileErr error) error {
	for tries := 1; ; tries++ {
		err := i.configureOnce(ctx, o, file, fileErr)
		if model.CodeOf(err) != model.Conflict || tries == 5 {
			return err
		}
		// A replica that starts at the same time was quicker: its version is looked at now.
	}
}

func (i *instance) configureOnce(ctx context.Context, o instanceOptions, file *hub.Snapshot, fileErr error) error {
	active, ok, err := i.store.ActiveConfig(ctx)
	switch {
	case err != nil:
		return err
	case !ok && fileErr != nil:
		return fileErr
	case !ok:
		return i.putInForce(ctx, o, 0)
	case fileErr != nil:
		return i.refuseFile(ctx, o, active, fileErr)
	case active.Digest == file.Doc.Digest():
		return i.activateFile(ctx, o, active.Version)
	}
	w := i.weigh(ctx, o, active, file)
	if !w.endsWithin(cmp.Or(o.Weigh, weighAtMost)) && i.activateStored(ctx, active) == nil {
		i.log.InfoContext(ctx, "the configuration file has changed; the active version is served until the file has been compared with everybody", "file", o.Name, "version", active.Version)
		i.weighing = w
		return nil
	}
	// Or the active version wants what is there no more, a secret perhaps.
	defer w.stop()
	switch reason, err := w.wait(); {
	case err != nil:
		return err
	case reason != "":
		return i.refuseFile(ctx, o, active, errors.New(reason))
	}
	return i.putInForce(ctx, o, active.Version)
}

// putInForce stores the file as the version after base and activates it.
func (i *instance) putInForce(ctx context.Context, o instanceOptions, base int64) error {
	next, err := i.hub.Apply(ctx, hub.Actor{Name: "serve"}, o.Name, o.Config, base)
	if err != nil {
		return err
	}
	i.warn(next)
	return i.applied(ctx, next)
}

// refuseFile says why the file is not served, and serves the active version.
func (i *instance) refuseFile(ctx context.Context, o instanceOptions, active store.ConfigVersion, why error) error {
	i.log.ErrorContext(ctx, "the configuration file is not put in force, the active version is served", "file", o.Name, "version", active.Version, "reason", why)
	return i.activateStored(ctx, active)
}

func (i *instance) activateFile(ctx context.Context, o instanceOptions, v int64) error {
	snap, err := hub.Compile(v, o.Name, o.Config, checkProfiles)
	if err != nil {
		return err
	}
	i.warn(snap)
	return i.activate(ctx, snap)
}

func (i *instance) activateStored(ctx context.Context, v store.ConfigVersion) error {
	snap, err := hub.Compile(v.Version, fmt.Sprintf("version %d", v.Version), []byte(v.Body), checkProfiles)
	if err != nil {
		return fmt.Errorf("the active configuration cannot be used by this program: %w", err)
	}
	return i.activate(ctx, snap)
}

func (i *instance) warn(snap *hub.Snapshot) {
	for _, w := range snap.Doc.Warnings {
		i.log.Warn("configuration", "warning", w.Error())
	}
}

// credentials reads the secrets of a configuration; every one that cannot be read is
// named, and so is one that two sources share.
func (i *instance) credentials(snap *hub.Snapshot) (sources credentialReader, admins []admin.Token, err error) {
	var errs []error
	reveal := func(what string, s model.Secret) string {
		v, err := s.Reveal()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
		return v
	}
	sources = credentialReader{reveal: reveal, seen: i.deviation}
	sources.read(snap.Doc)
	admins = adminTokens(snap.Doc, reveal)
	if len(errs) > 0 {
		return sources, nil, model.Fail(model.Invalid, errors.Join(errs...).Error(), nil)
	}
	if err := sources.out.Check(); err != nil {
		return sources, nil, model.Fail(model.Invalid, err.Error(), nil)
	}
	return sources, admins, nil
}

// usable says why a configuration cannot be put in force in this process.
func (i *instance) usable(snap *hub.Snapshot) error {
	if _, err := hub.ConfiguredAuditKey(snap.Doc); err != nil {
		return err
	}
	if _, err := tracingSettings(snap.Doc.Tracing); err != nil {
		return err
	}
	_, _, err := i.credentials(snap)
	return err
}

// activate puts a snapshot in force in this process. If it cannot be, nothing changes.
func (i *instance) activate(ctx context.Context, snap *hub.Snapshot) error {
	sources, admins, err := i.credentials(snap)
	if err != nil {
		return err
	}
	if i.local.Token != "" {
		local := admin.NewToken("local", admin.RoleAdmin, i.local.Token, nil)
		local.Random = true
		admins = append(admins, local)
	}
	if err := i.sources.configure(sources, snap); err != nil {
		return err
	}
	i.admins.Replace(admins)
	endpoints := i.serviceProvider(snap.Doc.Registry)
	i.scim.Store(&endpoints)
	if was := i.hub.Snapshot(); was != nil {
		i.metrics.follow(was.Doc, snap.Doc)
	}
	i.trace(ctx, snap)
	i.hub.Activate(snap)
	if err := i.hub.LearnIndexed(ctx); err != nil {
		i.log.WarnContext(ctx, "resources are not passed on as they are stored yet", "error", err)
	}
	i.worker.Nudge()
	i.log.InfoContext(ctx, "configuration in force", "version", snap.Version)
	return nil
}

func adminTokens(doc *config.Document, reveal func(string, model.Secret) string) []admin.Token {
	var out []admin.Token
	for _, t := range doc.Admin.Tokens {
		token := admin.NewToken(t.Name, t.Role, reveal(config.Join("admin", "tokens", t.Name), t.Secret), t.Expires)
		token.Person = t.Person
		out = append(out, token)
	}
	return out
}

// deviation counts what a source sent that only its dialect lets pass.
func (i *instance) deviation(source, flag string) {
	i.metrics.deviations.WithLabelValues(source, flag).Inc()
	i.deviations.Seen(source, flag)
}
