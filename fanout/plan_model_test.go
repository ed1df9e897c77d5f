package fanout

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/scimhub/scimhub/model"
)

// paper is a Connector to applications that exist on paper alone: they keep strictly to
// their profile, and note whoever asks for what the profile says cannot be.
type paper struct {
	Connector
	profile Profile
	users   map[string]*paperUser
	faults  []string
	lost    []string // ids of accounts that cannot be had back
	made    int
}

type paperUser struct {
	model.Account
	invited bool
}

func (p *paper) fault(format string, args ...any) error {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
	return &ClientError{Class: Invalid, Detail: p.faults[len(p.faults)-1]}
}

func (p *paper) find(id string) (*paperUser, error) {
	if u := p.users[id]; u != nil {
		return u, nil
	}
	return nil, &ClientError{Class: Missing, Status: 404}
}

func (p *paper) shown(id string) RemoteUser {
	u := p.users[id]
	doc := document(u.Account)
	doc["id"] = id
	return RemoteUser{ID: id, UserName: u.UserName, Active: u.Active, Attrs: doc}
}

func (p *paper) Get(_ context.Context, id string) (RemoteUser, error) {
	if _, err := p.find(id); err != nil {
		return RemoteUser{}, err
	}
	return p.shown(id), nil
}

func (p *paper) Create(_ context.Context, a model.Account) (RemoteUser, error) {
	for path, v := range a.Attrs {
		if err := p.takes(path, v); err != nil {
			return RemoteUser{}, err
		}
	}
	for key, l := range p.profile.Limits {
		if l.Required && key != "userName" && !ofGroups(key) && a.Attrs[key] == nil {
			return RemoteUser{}, p.fault("made without %s", key)
		}
	}
	p.made++
	id := fmt.Sprint("new", p.made)
	a = *cloneAccount(&a)
	a.Groups = nil
	p.users[id] = &paperUser{Account: a}
	return p.shown(id), nil
}

// takes holds one value against the application's rules.
func (p *paper) takes(path string, v any) error {
	if p.profile.leaves(path) {
		return p.fault("%s was sent, which the application does not take", path)
	}
	text, _ := v.(string)
	if l, stated := p.profile.Limits[path]; stated && (l.Len > 0 && len([]rune(text)) > l.Len || strings.ContainsAny(text, l.Charset)) {
		return p.fault("%s: %q was sent", path, text)
	}
	return nil
}

func (p *paper) Update(ctx context.Context, id string, before, after model.Account) (*RemoteUser, error) {
	u, err := p.find(id)
	if err != nil {
		return nil, err
	}
	fields := differences(p.profile.Canonical(before), p.profile.Canonical(after))
	back := !before.Active && after.Active
	if len(fields) > 0 && !u.Active && !back && p.profile.UpdateWhenInactive != "yes" {
		return nil, p.fault("changed though it is switched off")
	}
	for _, f := range fields {
		switch fixed := p.profile.Limits[f.Path].Fixed; {
		case f.Path == "active" && f.After == false:
			if err := p.off(id, u); err != nil {
				return nil, err
			}
		case f.Path == "active":
			u.Active = true
		case f.Path == "userName" && !p.profile.Rename.User, strings.HasPrefix(f.Path, "emails") && !p.profile.Rename.Email && u.Attrs[f.Path] != nil, fixed:
			return nil, p.fault("%s changed, which is fixed", f.Path)
		case f.Path == "userName":
			u.UserName, _ = f.After.(string)
		case f.After == nil && p.profile.Limits[f.Path].Required:
			return nil, p.fault("%s taken away, which is demanded", f.Path)
		case f.After == nil:
			delete(u.Attrs, f.Path)
		default:
			if err := p.takes(f.Path, f.After); err != nil {
				return nil, err
			}
			if u.Attrs == nil {
				u.Attrs = map[string]any{}
			}
			u.Attrs[f.Path] = f.After
		}
	}
	if !p.profile.EchoesBody || p.users[id] == nil {
		return nil, nil
	}
	out := p.shown(id)
	return &out, nil
}

// off is what happens to an account that is switched off.
func (p *paper) off(id string, u *paperUser) error {
	switch {
	case p.profile.Disable == "forbidden":
		return p.fault("switched off, which is not possible")
	case p.profile.Disable == "delete":
		return p.Delete(context.Background(), id)
	case u.invited && u.Active && p.profile.DisablePendingUser == "refuses":
		return p.fault("an invitation was switched off")
	case u.invited && u.Active && p.profile.DisablePendingUser == "deletes":
		p.lost = append(p.lost, id)
		delete(p.users, id)
		return nil
	}
	u.Active = false
	if p.profile.PartOnDisable {
		u.Groups = nil
	}
	return nil
}

func (p *paper) SetActive(_ context.Context, id string, active bool) (*RemoteUser, error) {
	u, err := p.find(id)
	if err != nil {
		return nil, err
	}
	if active {
		u.Active = true
		return nil, nil
	}
	return nil, p.off(id, u)
}

func (p *paper) Delete(_ context.Context, id string) error {
	u, err := p.find(id)
	switch {
	case err != nil:
		return err
	case p.profile.Delete == model.DeleteForbidden:
		return p.fault("deleted, which is not possible")
	case p.profile.Delete == model.DeleteDisables:
		u.Active = false
		return nil
	}
	p.lost = append(p.lost, id)
	delete(p.users, id)
	return nil
}

// member puts somebody into a group, or takes them out.
func (p *paper) member(c model.Change, id string) error {
	u, err := p.find(id)
	if err != nil {
		return err
	}
	if !p.profile.Has("Group") {
		return p.fault("%s where there are no groups", c.Verb)
	}
	u.Groups = slices.DeleteFunc(slices.Clone(u.Groups), func(g string) bool { return g == c.Group })
	if c.Verb == model.Join {
		u.Groups = append(u.Groups, c.Group)
		slices.Sort(u.Groups)
	}
	return nil
}

// drawn is one row with the truth about its account.
type drawn struct {
	row   model.AccountRow
	truth *paperUser
}

var modelPaths = []string{"title", "displayName", "nickName", "externalId", "name.givenName", "name.familyName", `emails[type eq "work"].value`, `emails[type eq "home"].value`, "urn:x:User:dept", "password"}

func drawAttrs(t *rapid.T, label string, a *model.Account) {
	word := rapid.SampledFrom([]string{"", "a", "b", "A b", "<x>", "a@b", strings.Repeat("long ", 30)})
	for _, path := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelPaths), 0, 6, rapid.ID).Draw(t, label+" paths") {
		if a.Attrs[path] = word.Draw(t, label+" "+path); a.Attrs[path] == "" {
			delete(a.Attrs, path)
		}
	}
}

func drawGroups(t *rapid.T, label string) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"g", "h", "i"}), 0, 3, rapid.ID).Draw(t, label+" groups")
}

func drawModelAccount(t *rapid.T, label string) *model.Account {
	a := &model.Account{UserName: rapid.SampledFrom([]string{"ann", "ben", "Cleo", "a user name that is rather long"}).Draw(t, label+" name"),
		Active: rapid.IntRange(0, 3).Draw(t, label+" inactive") > 0, Attrs: map[string]any{"displayName": "D", "externalId": "x", "name.givenName": "G", "name.familyName": "F"}}
	drawAttrs(t, label, a)
	a.Groups = drawGroups(t, label)
	return a
}

// drawDesired is what is wanted: nothing, the same, a little else or something else.
func drawDesired(t *rapid.T, applied *model.Account) *model.Account {
	kind := rapid.IntRange(0, 5).Draw(t, "desired")
	switch {
	case kind <= 1:
		return nil
	case kind == 2 || applied == nil:
		return drawModelAccount(t, "desired")
	case kind == 3:
		return cloneAccount(applied)
	}
	d := cloneAccount(applied)
	if d.Attrs == nil {
		d.Attrs = map[string]any{}
	}
	if rapid.Bool().Draw(t, "other groups") {
		d.Groups = drawGroups(t, "desired")
	}
	if rapid.Bool().Draw(t, "other attributes") {
		drawAttrs(t, "desired", d)
	}
	d.Active = d.Active != rapid.Bool().Draw(t, "switched")
	return d
}

// drawRow makes a row as the worker may meet it, with the account as it really is.
func drawRow(t *rapid.T, p Profile, i int) drawn {
	var applied *model.Account
	if rapid.IntRange(0, 4).Draw(t, "applied") > 0 {
		applied = p.canonical(drawModelAccount(t, "applied"))
		if !p.Has("Group") || !applied.Active && p.PartOnDisable {
			applied.Groups = nil
		}
	}
	d := drawn{row: model.AccountRow{Target: "t", Identity: fmt.Sprint("i", i), Applied: applied, Desired: drawDesired(t, applied)}}
	row := &d.row
	pick := func(label string) bool { return rapid.Bool().Draw(t, label) }
	if row.Desired == nil {
		row.Leaver = pick("leaver")
		row.Drill = row.Leaver && rapid.IntRange(0, 3).Draw(t, "drill") == 0
	}
	switch {
	case applied != nil:
		row.RemoteID, row.Owned = fmt.Sprint("r", i), rapid.SampledFrom([]string{model.OwnedCreated, model.OwnedAdopted}).Draw(t, "owned")
		d.truth = &paperUser{Account: *cloneAccount(applied)}
		drawSent(t, p, &d)
	case rapid.IntRange(0, 2).Draw(t, "found") == 0:
		row.RemoteID = fmt.Sprint("r", i)
		row.Observed = p.canonical(drawModelAccount(t, "observed"))
		row.Observed.Groups = nil
		d.truth = &paperUser{Account: *cloneAccount(row.Observed)}
		if pick("creating") {
			row.Owned, row.Applied = model.OwnedCreated, cloneAccount(row.Observed) // as the look-up takes it
		} else if row.Desired == nil && pick("foreign") {
			row.Identity, row.State, row.Leaver, row.Drill = "?"+row.RemoteID, model.StateUnknown, false, false
		}
	}
	if d.truth != nil && d.truth.Active && p.DisablePendingUser != "disables" {
		d.truth.invited = pick("invited")
		row.Invited = p.Pending != "" && d.truth.invited
	}
	if applied != nil && !applied.Active && row.Desired == nil && len(row.Sent) == 0 {
		row.DisabledAt = rapid.SampledFrom([]*time.Time{nil, new(noon.Add(-48 * time.Hour)), new(noon.Add(-time.Hour))}).Draw(t, "disabled")
	}
	if row.DisabledAt != nil {
		row.TransferredAt = rapid.SampledFrom([]*time.Time{nil, new(noon.Add(-72 * time.Hour)), &noon}).Draw(t, "transferred")
	}
	return d
}

// drawSent adds writes of which nobody heard, and decides what became of them. Where
// somebody is to have the account it was read again, so that only memberships are open.
func drawSent(t *rapid.T, p Profile, d *drawn) {
	row := &d.row
	for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "sent") {
		s := *cloneAccount(row.Applied)
		s.Groups = drawGroups(t, "sent")
		slices.Sort(s.Groups)
		if row.Desired == nil {
			s.Active = rapid.Bool().Draw(t, "sent active")
			if rapid.IntRange(0, 5).Draw(t, "sent deletion") == 0 {
				s = model.Account{}
			}
		}
		if !p.Has("Group") || !s.Active && p.PartOnDisable {
			s.Groups = nil
		}
		row.Sent = withSent(row.Sent, s)
	}
	for _, s := range row.Sent {
		if rapid.Bool().Draw(t, "arrived") {
			d.truth.Active, d.truth.Groups = s.Active, slices.Clone(s.Groups)
			if isNone(s) {
				d.truth = nil
				return
			}
		}
	}
}

// drawProfile is one of the profiles, as it is or with other habits of taking away.
func drawProfile(t *rapid.T, profiles []Profile) Profile {
	p := rapid.SampledFrom(profiles).Draw(t, "profile")
	if rapid.Bool().Draw(t, "as it is") {
		return p
	}
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	p.Delete = one("delete", model.DeleteHard, model.DeleteDisables, model.DeleteForbidden, model.DeleteIrreversible)
	p.Disable = one("disable", "active", "active", "delete", "forbidden")
	p.DisablePendingUser = one("pending user", "disables", "deletes", "refuses")
	if p.Pending = `userType eq "invited"`; p.DisablePendingUser == "deletes" { // what cannot be told is refused, and tried again
		p.Pending = one("pending", "", p.Pending)
	}
	p.UpdateWhenInactive = one("inactive", "yes", "no", "with_reactivation")
	p.PartOnDisable = rapid.Bool().Draw(t, "part on disable")
	p.Rename = model.ProfileRename{User: rapid.Bool().Draw(t, "rename"), Email: rapid.Bool().Draw(t, "new address"), Group: true}
	p.Limits = maps.Clone(p.Limits)
	if p.Limits == nil {
		p.Limits = map[string]model.AttrLimit{}
	}
	p.Limits["nickName"] = model.AttrLimit{Fixed: true}
	return p
}

func everyProfile(t *testing.T) (out []Profile) {
	t.Helper()
	for _, name := range ProfileNames() {
		p, err := ProfileNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func drawTarget(t *rapid.T) model.Target {
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	return model.Target{Name: "t", Mode: model.Mode(one("mode", "enforce", "enforce", "no-delete", "create-only", "observe")), Adopt: one("adopt", "auto", "auto", "ask"),
		Leaver: model.LeaverPolicy{First: one("first", "disable", "disable", "delete"), Then: one("then", "", "delete"), After: 24 * time.Hour,
			Transfer: one("transfer", "", "", "required"), RemoveMemberships: rapid.Bool().Draw(t, "memberships")},
		Drift:   model.DriftPolicy{Unknown: one("unknown", "report", "disable")},
		Protect: rapid.SampledFrom([][]string{nil, nil, {`displayName eq "b"`}}).Draw(t, "protect"),
	}
}

// Whatever is wanted, applied, seen and sent without an answer, at whatever application:
// the plan depends on nothing but its input; carried out by the worker at an application
// that keeps to its profile it asks for nothing that cannot be, loses nothing that is
// not announced, brings the account to what is wanted, and leaves nothing to do.
func TestPlanAtThePaperApplication(t *testing.T) {
	t.Parallel()
	profiles := everyProfile(t)
	rapid.Check(t, func(t *rapid.T) {
		for range 4 { // several to a check: most of its time is spent elsewhere
			p, target := drawProfile(t, profiles), drawTarget(t)
			app := &paper{profile: p, users: map[string]*paperUser{}}
			var rows []model.AccountRow
			for i := range rapid.IntRange(1, 4).Draw(t, "rows") {
				d := drawRow(t, p, i)
				rows = append(rows, d.row)
				if d.truth != nil {
					app.users[d.row.RemoteID] = d.truth
				}
			}
			plan := Diff(target, p, rows, noon)
			checkPlan(t, target, p, rows, plan)
			plan = Guard(plan, GuardFacts{Guard: model.Guard{Percent: 100, Floor: 99}})
			for _, row := range rows {
				carryOut(t, target, p, app, row, plan)
			}
		}
	})
}

// checkPlan holds a plan against what must be true of every plan.
func checkPlan(t *rapid.T, target model.Target, p Profile, rows []model.AccountRow, plan model.Plan) {
	other := rapid.Permutation(rows).Draw(t, "order")
	if again := Diff(target, p, other, noon); !cmp.Equal(plan, again) {
		t.Fatalf("depends on the order of its input: %s", cmp.Diff(plan, again))
	}
	if !slices.IsSortedFunc(plan.Changes, func(a, b model.Change) int {
		if a.Urgent != b.Urgent {
			return map[bool]int{true: -1, false: 1}[a.Urgent]
		}
		return rank(a.Verb) - rank(b.Verb)
	}) {
		t.Fatalf("out of order: %v", brief(plan))
	}
	by := map[string]model.AccountRow{}
	for _, r := range rows {
		by[r.Identity] = r
	}
	for _, c := range plan.Changes {
		r := by[c.Identity]
		same := r.Desired != nil && r.Applied != nil && len(r.Sent) == 0 && cmp.Equal(p.Canonical(*r.Desired), p.Canonical(*r.Applied))
		switch {
		case same:
			t.Fatalf("%s though what is wanted is there", c.Verb)
		case target.Mode == model.ModeObserve && c.Held == "":
			t.Fatalf("%s though only observed", c.Verb)
		case c.Removes() && c.Held == "" && r.Owned == "" && c.Verb != model.Adopt && !(isForeign(r) && target.Drift.Unknown == "disable"):
			t.Fatalf("%s of an account that is not ours", c.Verb)
		case c.Verb == model.Delete && c.Held == "" && target.Leaver.Transfer == "required" && !r.Invited && !transferred(r) && p.Disable != "delete":
			t.Fatal("deleted, and what the person owned was not handed on")
		case c.Verb == model.Delete && c.Held == "" && p.Delete == model.DeleteIrreversible && !r.Invited:
			t.Fatal("deleted for good, and nobody approved it")
		case c.Held == "" && c.Undo != model.UndoFreely && c.Loses == "":
			t.Fatalf("%s %s loses nothing", c.Undo, c.Verb)
		}
	}
}

// carryOut has the worker carry out what concerns one row, and looks at what is then.
func carryOut(t *rapid.T, target model.Target, p Profile, app *paper, row model.AccountRow, plan model.Plan) {
	r := &runner{w: &Worker{Now: func() time.Time { return noon }}, target: target, profile: p, conn: app, log: slog.New(slog.DiscardHandler)}
	j := &job{row: row, intent: row.Owned == model.OwnedCreating, before: row.Sent}
	held := false
	for _, c := range plan.Changes {
		if c.Identity == row.Identity {
			j.changes = append(j.changes, c)
			if c.Held != "" {
				held = true
			}
		}
	}
	if slices.ContainsFunc(j.changes, func(c model.Change) bool { return c.Held == "" }) {
		j.row.Sent = withSent(j.row.Sent, intended(j.row, j.changes))
	}
	show := func() string {
		return fmt.Sprintf("%s: %v\nrow %+v\ndesired %+v\napplied %+v\nsent %+v", p.Name, brief(model.Plan{Changes: j.changes}), row, row.Desired, row.Applied, row.Sent)
	}
	perform(t, r, app, j, show)
	r.conclude(j, noon)
	if len(app.faults) > 0 || j.err != nil {
		t.Fatalf("faults %v, error %v\n%s", app.faults, j.err, show())
	}
	again := Diff(target, p, []model.AccountRow{j.row}, noon)
	for _, c := range again.Changes {
		if c.Held == "" || !held {
			t.Fatalf("there is still %v\n%s\nafterwards %+v", brief(again), show(), j.row)
		}
	}
	checkOutcome(t, target, p, app, j, show)
}
