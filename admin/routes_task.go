package admin

import "github.com/scimhub/scimhub/hub"

// taskRoutes are those about tasks for people.
func (a *API) taskRoutes() []route {
	return []route{
		{"GET", "/tasks", rightSeeOwn, a.tasks, about{sum: "Tasks for people, those due first in front", out: page[hub.TaskView]{}, query: paged("target", "for", "state", "mine", "overdue")}},
		{"GET", "/tasks/{task}", rightSeeOwn, a.task, about{sum: "One task", out: hub.TaskView{}}},
		{"POST", "/tasks/{task}/done", rightClose, a.taskDone, about{sum: "Say that a task was done", in: TaskDone{}, out: hub.TaskView{}}},
		{"POST", "/tasks/{task}/refuse", rightClose, a.refuseTask, about{sum: "Say that a task will not be done", in: TaskRefusal{}, out: hub.TaskView{}}},
	}
}
