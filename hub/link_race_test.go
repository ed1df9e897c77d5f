package hub_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model"
	"github.com/scimhub/scimhub/model/scim"
)

// TestLinkingAtOnce: sources push, operators link and unlink and the evaluation runs,
// all at the same time; what must hold holds afterwards.
func TestLinkingAtOnce(t *testing.T) {
	t.Parallel()
	each(t, linkSources, func(w *world) {
		_, first := w.pushed("hr", "n0")
		var group sync.WaitGroup
		run := func(n int, do func(dice *rand.Rand) error) {
			group.Go(func() {
				dice := rand.New(rand.NewPCG(uint64(n), 3))
				for range 25 {
					if err := do(dice); model.CodeOf(err) == model.Internal && err != nil {
						if _, refused := scim.AsError(err); !refused {
							w.t.Errorf("actor %d: %v", n, err)
						}
					}
				}
			})
		}
		for n, source := range []string{"hr", "okta", "third"} {
			run(n, func(dice *rand.Rand) error {
				_, err := w.Create(ctxOf(w), by(source), w.user, map[string]any{"userName": fmt.Sprint("n", dice.IntN(8)), "active": true, "emails": mail(fmt.Sprintf("m%d@x", dice.IntN(4)))})
				return err
			})
		}
		someone := func(dice *rand.Rand) string {
			rows, _, err := w.Store.Identities(ctxOf(w), "", "", 100)
			if err != nil || len(rows) == 0 {
				return first
			}
			return rows[dice.IntN(len(rows))].ID
		}
		run(3, func(dice *rand.Rand) error {
			_, err := w.Link(ctxOf(w), desk(), someone(dice), someone(dice), true)
			return err
		})
		run(4, func(dice *rand.Rand) error {
			_, err := w.Link(ctxOf(w), desk(), someone(dice), someone(dice), true)
			return err
		})
		run(5, func(dice *rand.Rand) error {
			_, err := w.Unlink(ctxOf(w), desk(), someone(dice), "okta", "")
			return err
		})
		run(6, func(*rand.Rand) error { _, err := w.EvaluateBatch(ctxOf(w)); return err })
		group.Wait()
		for range 3 { // claims of marks that were worked on in vain have to end
			w.clock.Add(time.Minute)
			w.evaluate()
		}
		if faults := w.linkFaults(); len(faults) > 0 {
			w.t.Error(faults)
		}
	})
}
