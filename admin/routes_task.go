package admin

// taskRoutes are those about tasks for people.
func (a *API) taskRoutes() []route {
	return []route{
		{"GET", "/tasks", rightSeeOwn, a.tasks, about{}},
		{"GET", "/tasks/{task}", rightSeeOwn, a.task, about{}},
		{"POST", "/tasks/{task}/done", rightClose, a.taskDone, about{}},
		{"POST", "/tasks/{task}/refuse", rightClose, a.refuseTask, about{}},
	}
}
