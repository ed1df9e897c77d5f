package admin

import "slices"

// taskClosers may close tasks: operators every one, a person's token its own.
var taskClosers = append(slices.Clone(operators), RolePerson)

// taskRoutes are those about tasks for people.
func (a *API) taskRoutes() []route {
	return []route{
		{"GET", "/tasks", askReaders, a.tasks},
		{"GET", "/tasks/{task}", askReaders, a.task},
		{"POST", "/tasks/{task}/done", taskClosers, a.taskDone},
		{"POST", "/tasks/{task}/refuse", taskClosers, a.refuseTask},
	}
}
