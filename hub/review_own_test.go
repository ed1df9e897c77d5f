package hub_test

import (
	"testing"

	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// TestNobodyClosesTheirOwn: an operator who is under review does not end it by force, with
// what they have kept; another one does, and of others' reviews they may.
func TestNobodyClosesTheirOwn(t *testing.T) {
	t.Parallel()
	each(t, reviewed, func(w *world) {
		w.managed("boss", "Boss", "")
		w.managed("bob", "Engineer", "boss")
		w.managed("eve", "Engineer", "boss")
		w.evaluate()
		bob := hub.Who{Name: "ops-bob", Person: "bob", Operator: true}
		force := hub.ReviewClosing{Force: true, Undecided: model.UndecidedKeep, Reason: "no time"}
		v := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{Role: "engineer"}})
		if _, err := w.CloseReview(w.t.Context(), bob, v.ID, force); model.CodeOf(err) != model.Forbidden {
			w.t.Errorf("his own: %v", err)
		}
		if _, err := w.CloseReview(w.t.Context(), ops(), v.ID, force); err != nil {
			w.t.Errorf("somebody else: %v", err)
		}
		other := w.ask(ops(), hub.NewReview{Scope: model.ReviewScope{People: []string{"eve"}}})
		if _, err := w.CloseReview(w.t.Context(), bob, other.ID, force); err != nil {
			w.t.Errorf("of somebody else: %v", err)
		}
	})
}
