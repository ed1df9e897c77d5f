package console

import (
	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// homePages are those of the overview.
func (c *Console) homePages() []page {
	return []page{{"/", "home", showHome}}
}

// homeView is the page that everybody sees first.
type homeView struct {
	Overview  *admin.Overview // nil: the caller sees only what is their own
	Trouble   string          // why the overview cannot be shown; empty: it is, or is not for them
	Urgencies []urgency
	Targets   []targetLine
	Wrong     int // targets that need somebody
	Open      []leaverLine
	Gone      []leaverLine // of the last days, whose access is verified gone
	People    []peopleCount
	PeopleAll int
	Own       *ownView // nil: the credential acts for nobody
}

// peopleCount is how many people are in a stage.
type peopleCount struct {
	Stage model.Stage
	Count int
	Means string
}

// urgency is what needs somebody, of one severity.
type urgency struct {
	Title, Class, Word string
	Needs              []needLine
	Count              int // as numbers add up; at least so many
	More               bool
}

// needLine is one kind of thing that needs somebody.
type needLine struct {
	admin.Need
	OldestWord string // what Oldest is: since when, or until when
}

// ownView is what concerns somebody themselves.
type ownView struct {
	admin.OwnAccess
	Why     string // why it is not shown; empty: it is
	Waiting []hub.RequestView
	Asked   []hub.RequestView
	Tasks   []hub.TaskView
	Reviews []admin.ReviewItemView
	Busy    bool // something waits for them
}

func showHome(v *Visit) (any, error) {
	out := homeView{}
	if v.Caller.May("read") == nil {
		var o admin.Overview
		if err := v.Get(&o, "/overview"); err != nil {
			if statusOf(err) == 401 || statusOf(err) == 403 {
				return nil, err
			}
			out.Trouble = wordsOf(err)
		} else {
			out.fill(o)
		}
	}
	if v.Caller.Person != "" || out.Overview == nil && out.Trouble == "" {
		out.Own = showOwn(v)
	}
	return out, nil
}

func (h *homeView) fill(o admin.Overview) {
	h.Overview, h.Targets = &o, targetLines(o)
	for _, t := range h.Targets {
		if len(t.Troubles) > 0 {
			h.Wrong++
		}
	}
	h.Urgencies = urgencies(o.Needs)
	for _, l := range leaverLines(o.Leavers.Newest) {
		if l.EndedAt == nil {
			h.Open = append(h.Open, l)
		} else {
			h.Gone = append(h.Gone, l)
		}
	}
	for _, s := range []struct {
		stage model.Stage
		means string
	}{{model.Active, "here"}, {model.Prehire, "about to come"}, {model.Leave, "on leave"}, {model.Leaver, "left"}} {
		if n := o.People[s.stage]; n > 0 {
			h.People = append(h.People, peopleCount{s.stage, n, s.means})
			h.PeopleAll += n
		}
	}
}

// urgencies are needs by severity, the most urgent first; those without any are left out.
func urgencies(needs []admin.Need) (out []urgency) {
	for _, u := range []urgency{
		{Title: "Act now", Class: "bad", Word: admin.SeverityCritical},
		{Title: "See to it soon", Class: "warn", Word: admin.SeverityWarning},
		{Title: "Work that waits", Class: "calm", Word: admin.SeverityInfo},
	} {
		for _, n := range needs {
			if n.Severity != u.Word {
				continue
			}
			line := needLine{Need: n, OldestWord: "since"}
			if n.Kind == admin.NeedCredential {
				line.OldestWord = "ends"
			}
			u.Needs, u.Count, u.More = append(u.Needs, line), u.Count+n.Count, u.More || n.More
		}
		if len(u.Needs) > 0 {
			out = append(out, u)
		}
	}
	return out
}

// showOwn gathers what concerns the caller; what cannot be read is left out, with a word
// where nothing can.
func showOwn(v *Visit) *ownView {
	out := &ownView{}
	if err := v.Get(&out.OwnAccess, "/me/access"); err != nil {
		out.Why = wordsOf(err)
		return out
	}
	var requests listing[hub.RequestView]
	if v.Get(&requests, Query("/requests", "waiting", "true", "limit", "8")) == nil {
		out.Waiting = requests.Items
	}
	var asked listing[hub.RequestView]
	if v.Get(&asked, Query("/requests", "mine", "true", "limit", "8")) == nil {
		out.Asked = asked.Items
	}
	var tasks listing[hub.TaskView]
	if v.Get(&tasks, Query("/tasks", "mine", "true", "limit", "8")) == nil {
		out.Tasks = tasks.Items
	}
	var reviews listing[admin.ReviewItemView]
	if v.Get(&reviews, Query("/reviews/inbox", "limit", "8")) == nil {
		out.Reviews = reviews.Items
	}
	out.Busy = len(out.Waiting)+len(out.Tasks)+len(out.Reviews) > 0
	return out
}
