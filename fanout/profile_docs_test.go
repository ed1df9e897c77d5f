package fanout

import (
	"testing"

	"github.com/scimhub/scimhub/model/config"
)

func TestEveryProfileIsSound(t *testing.T) {
	t.Parallel()
	for _, name := range ProfileNames() {
		p, err := ProfileNamed(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := config.CheckProfile(p.Profile); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
