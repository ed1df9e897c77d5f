package console

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// taskPages are those of tasks.
func (c *Console) taskPages() []page {
	return []page{
		{"/tasks", "tasks", showTasks},
		{"/tasks/{task}", "task", showTask},
	}
}

// taskActions are what forms do there.
func (c *Console) taskActions() []action {
	return []action{
		{"/tasks/{task}/done", taskDone},
		{"/tasks/{task}/refuse", refuseTask},
	}
}

// tasksView is the inbox of what people have to do.
type tasksView struct {
	Tasks []taskLine
	Next  string
	State string
	Mine  bool // one's own alone
	All   bool // may see everybody's
}

// taskLine is a task, and what whoever looks may do about it.
type taskLine struct {
	hub.TaskView
	Title string
	May   bool
	Gates string // what waits for it
}

func lineOf(v *Visit, t hub.TaskView) taskLine {
	out := taskLine{TaskView: t, May: t.Open() && v.Caller.May("close") == nil}
	switch t.Kind {
	case model.TaskTransfer:
		out.Title, out.Gates = "Hand on what "+t.For+" owns at "+t.Target, "The account is not deleted before this is done."
	case model.TaskSwitchOff:
		out.Title, out.Gates = "Switch off the account of "+t.For+" at "+t.Target, "Until then they may still get in."
	case model.TaskManual:
		out.Title, out.Gates = "Change the account of "+t.For+" at "+t.Target, "It counts as carried out once you say so."
	}
	return out
}

func showTasks(v *Visit) (any, error) {
	out := tasksView{State: v.Query("state"), Mine: v.Query("mine") == "true" || v.Caller.May("read") != nil, All: v.Caller.May("read") == nil}
	state, mine := out.State, ""
	if out.Mine && v.Caller.Person != "" {
		mine = "true"
	}
	var found listing[hub.TaskView]
	err := v.Get(&found, Query("/tasks", "state", state, "mine", mine, "target", v.Query("target"), "cursor", v.Query("cursor"), "limit", strconv.Itoa(listRows)))
	for _, t := range found.Items {
		out.Tasks = append(out.Tasks, lineOf(v, t))
	}
	out.Next = found.Next
	return out, err
}

func showTask(v *Visit) (any, error) {
	var t hub.TaskView
	err := v.Get(&t, "/tasks/%s", v.Var("task"))
	return lineOf(v, t), err
}

func taskDone(v *Visit) (Done, error) {
	in := admin.TaskDone{Proof: strings.TrimSpace(v.Form.Get("proof"))}
	if err := v.Post(in, nil, "/tasks/%s/done", v.Var("task")); err != nil {
		return Done{}, err
	}
	return Done{To: "/tasks", Said: "Noted as done. Thank you."}, nil
}

func refuseTask(v *Visit) (Done, error) {
	in := admin.TaskRefusal{Reason: strings.TrimSpace(v.Form.Get("reason"))}
	if err := v.Post(in, nil, "/tasks/%s/refuse", v.Var("task")); err != nil {
		return Done{}, err
	}
	return Done{To: "/tasks/" + url.PathEscape(v.Var("task")), Said: "Noted that it will not be done. The operators see it."}, nil
}
