package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

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
	if err != nil {
		return err
	}
	if !ok && fileErr != nil {
		return fileErr
	}
	if fileErr == nil && ok && active.Digest == file.Doc.Digest() {
		return i.activateFile(ctx, o, active.Version)
	}
	if fileErr == nil {
		reason, err := i.unsafe(ctx, ok, active, file)
		if err != nil {
			return err
		}
		if reason == "" {
			next, err := i.hub.Apply(ctx, hub.Actor{Name: "serve"}, o.Name, o.Config, active.Version)
			if err != nil {
				return err
			}
			i.warn(next)
			return i.applied(ctx, next)
		}
		fileErr = errors.New(reason)
	}
	i.log.ErrorContext(ctx, "the configuration file is not put in force, the active version is served", "file", o.Name, "version", active.Version, "reason", fileErr)
	return i.activateStored(ctx, active)
}

// unsafe says why a file must not be put in force without a person looking at it:
// somebody rolled this very text back, or the guards would hold somebody whom they do
// not hold under the active version.
func (i *instance) unsafe(ctx context.Context, hasActive bool, active store.ConfigVersion, file *hub.Snapshot) (string, error) {
	if !hasActive {
		return "", nil
	}
	back, found, err := i.store.RolledBack(ctx, file.Doc.Digest())
	if err != nil {
		return "", err
	}
	if found {
		return fmt.Sprintf("its text was version %d, which %s rolled back at %s; to put it in force all the same: scimhub apply --config %s",
			back.Version, back.By, back.At.Format(time.RFC3339), file.Doc.Name), nil
	}
	plan, err := i.api.Plan(ctx, file, "")
	if err != nil || plan.Held == 0 {
		return "", err
	}
	if now, err := hub.Compile(active.Version, "active", []byte(active.Body), checkProfiles); err == nil {
		before, err := i.api.Plan(ctx, now, "")
		if err != nil {
			return "", err
		}
		was := heldAccounts(before)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(heldAccounts(plan))), func(a string) bool { return !was[a] }) {
			return "", nil
		}
	}
	return fmt.Sprintf("it would take access from %d accounts, %d of them beyond a guard's limit: scimhub plan --config %s, then scimhub apply", plan.Removals, plan.Held, file.Doc.Name), nil
}

// heldAccounts are the accounts of a plan whose loss of access is held.
func heldAccounts(a admin.PlanAnswer) map[string]bool {
	out := map[string]bool{}
	for _, p := range a.Plans {
		for _, c := range p.Changes {
			if c.Held != "" && c.Removes() {
				out[p.Target+"/"+c.Identity] = true
			}
		}
	}
	return out
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
