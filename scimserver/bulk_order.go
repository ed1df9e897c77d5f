package scimserver

import (
	"context"
	"net/http"

	"github.com/scimhub/scimhub/model/scim"
)

// job is a bulk request that is being worked through.
type job struct {
	x        *exchange
	ctx      context.Context
	types    map[string]*scim.ResourceType // by endpoint
	tasks    []*task
	byBulkID map[string]*task
	ids      map[string]string // bulkId → id of the resource it stands for
	failures int
	most     int // failures after which the job stops; 0 means never
}

// task is one operation of a job.
type task struct {
	scim.BulkOperation
	waits  []string // bulkIds that it needs and that are not known to be resolved
	done   bool
	made   *outcome // of a circular POST that was created without some references
	held   []byte   // JSON object of the attributes with those references
	result *bulkResult
}

func newJob(x *exchange, reg *scim.Registry, req scim.BulkRequest) *job {
	j := &job{x: x, ctx: x.ctx, types: make(map[string]*scim.ResourceType, len(reg.Types)), most: req.FailOnErrors,
		byBulkID: map[string]*task{}, ids: map[string]string{}}
	for _, t := range reg.Types {
		j.types[t.Endpoint] = t
	}
	j.tasks = make([]*task, len(req.Operations))
	for i, op := range req.Operations {
		t := &task{BulkOperation: op}
		j.tasks[i] = t
		if op.Err != nil {
			continue
		}
		t.waits = op.References()
		if name, ok := op.PathReference(); ok {
			t.waits = append(t.waits, name)
		}
		if op.BulkID != "" {
			j.byBulkID[op.BulkID] = t
		}
	}
	return j
}

// Operations of a job run in the order of the request. One that refers to a later
// one is put off until that is done, and so is whatever comes after it at the same
// resource; everything else keeps its place, so that the result is that of the
// order the client chose (RFC 7644 §3.7). To put off is safer than to bring forward:
// "delete, then create under the same name" must not be turned round.
//
// Where operations refer to one another in a circle, one of them is created without
// the references and gets them as soon as they are known (§3.7.1).

// run works through the job. An error ends it: the request as a whole has failed.
func (j *job) run() error {
	for {
		pending, moved := false, false
		busy := map[string]bool{} // resources at which an earlier operation waits
		for _, t := range j.tasks {
			if t.done {
				continue
			}
			if j.most > 0 && j.failures >= j.most {
				return j.stop()
			}
			if err := j.ctx.Err(); err != nil {
				return err
			}
			if busy[t.Path] || j.blocked(t) {
				pending = true
				busy[t.Path] = t.Method != http.MethodPost
				continue
			}
			j.do(t)
			if moved = true; pending {
				break // perhaps one that was put off can go now
			}
		}
		switch {
		case moved:
		case !pending:
			return nil
		case !j.breakCircle():
			j.giveUp()
			return nil
		}
	}
}

// blocked reports whether an operation has to wait for another one.
func (j *job) blocked(t *task) bool {
	for len(t.waits) > 0 {
		name := t.waits[0]
		other := j.byBulkID[name]
		if other == nil || other.done && j.ids[name] == "" {
			return false // there is no use in waiting
		}
		if j.ids[name] == "" {
			return true
		}
		if of, ok := t.PathReference(); ok && of == name && !other.done {
			return true // it still lacks references of its own
		}
		t.waits = t.waits[1:]
	}
	return false
}

// do carries out an operation that waits for nothing.
func (j *job) do(t *task) {
	err := t.Err
	if err == nil && len(t.waits) > 0 {
		err = j.unresolved(t.waits[0])
	}
	switch {
	case err != nil && t.made != nil:
		j.undo(t, err)
	case err != nil:
		j.fail(t, err)
	case t.made != nil:
		j.link(t)
	default:
		out, err := j.apply(t.Resolve(j.ids))
		if err != nil {
			j.fail(t, err)
			return
		}
		j.succeed(t, out)
	}
}

// unresolved says why a reference stands for nothing.
func (j *job) unresolved(name string) error {
	if j.byBulkID[name] == nil {
		return scim.Errorf(http.StatusBadRequest, scim.InvalidValue, "bulkId:%s: no operation of this request has this bulkId", clip(name))
	}
	return scim.Errorf(http.StatusConflict, scim.InvalidValue, "bulkId:%s: the operation it names has failed, or made nothing", clip(name))
}

// stop ends a job after too many failures. What was created without its references
// does not stay behind half done.
func (j *job) stop() error {
	for _, t := range j.tasks {
		if !t.done && t.made != nil {
			j.undo(t, scim.Errorf(http.StatusConflict, "", "the job stopped before the references of this operation were known"))
		}
	}
	return nil
}

// giveUp fails what waits for one another in a way that cannot be resolved.
func (j *job) giveUp() {
	for _, t := range j.tasks {
		err := scim.Errorf(http.StatusConflict, scim.InvalidValue, "the operation refers in a circle to itself")
		switch {
		case t.done:
		case t.made != nil:
			j.undo(t, err)
		default:
			j.fail(t, err)
		}
	}
}
