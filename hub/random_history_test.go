package hub_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scimhub/scimhub/model/store/storetest"
)

// anyHistory is a configuration of which nothing depends on what was before.
const anyHistory = `
database: sqlite:x.db
sources:
  hr: {dialect: rfc, guard: {leavers: 100%, window: 1h, floor: 100000}}
  okta: {dialect: rfc, guard: {leavers: 100%, window: 1h, floor: 100000}}
identity:
  match: [externalId]
  authority: {title: [hr], active: [hr, okta], userName: [okta, hr], "*": [hr, okta]}
  timezone: Europe/Berlin
  start: nickName
  last: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division'
  leave:
    when: user.userType == "parental"
    from: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization'
    until: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter'
roles:
  employee: {when: user.active, grants: [{target: chat}]}
  engineer:
    when: user.enterprise.department == "Engineering"
    deny: user.userType == "contractor"
    inherits: [employee]
    grants: [{target: git, group: engineers}]
  lead:
    when: user.title.startsWith("Lead")
    inherits: [engineer]
    grants: [{target: git, group: leads}, {target: chat, group: leads}]
  pays: {when: '"finance" in user.groups', inherits: [employee], grants: [{target: books, group: pay}]}
  approves: {when: '"board" in user.groups', grants: [{target: books, group: approve}]}
  finance: {when: user.enterprise.department == "Finance", grants: [{target: books}]}
conflicts:
  - {name: four-eyes, roles: [approves, pays], action: refuse}
  - {name: reported, roles: [finance, pays], action: report}
targets:
  chat: {url: http://127.0.0.1:1, profile: generic, groups: {mirror: ['displayName sw "app-"']}}
  git: {url: http://127.0.0.1:2, profile: generic, scope: user.enterprise.department != "Sales"}
  books:
    url: http://127.0.0.1:3
    profile: generic
    user: {userName: 'user.userName + "@books"', title: 'user.title'}
`

// handedHistory has roles that movers keep for a while, beside.
var handedHistory = strings.NewReplacer(
	"    inherits: [engineer]\n", "    inherits: [engineer]\n    handover: 2d\n",
	"finance: {when:", "finance: {handover: 3d, when:",
	"approves: {when:", "approves: {handover: 1d, when:",
).Replace(anyHistory)

// historySeed is another one in each run, or that of a run to be repeated.
func historySeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("SCIMHUB_SEED")
	if text == "" {
		return rand.Uint64()
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("SCIMHUB_SEED: %v", err)
	}
	return seed
}

// TestRandomHistories: whatever happened, in whatever order, however often and
// whenever it was looked at: access is what follows from the facts as they are.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		configuration string
		settling      time.Duration
	}{"at once": {anyHistory, 0}, "after hand-over": {handedHistory, 72 * time.Hour}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, tt.configuration, func(w *world) {
				seed, waves := historySeed(w.t), 3
				if testing.Short() || storetest.UnderRace {
					waves = 1
				}
				dice := rand.New(rand.NewPCG(seed, 11))
				p := newPair(w, tt.configuration, tt.settling)
				for range waves {
					p.wave(seed, dice, 25, 12)
				}
			})
		})
	}
}
