-- What is older than it is kept is taken away: how far that is, of each table or of what
-- belongs together. The row without a kind is who does it at the moment.
CREATE TABLE pruning (
  kind         text PRIMARY KEY,
  until_at     integer NOT NULL DEFAULT 0,      -- what was over by then is gone
  place        text NOT NULL DEFAULT '',       -- where the next batch begins
  gone         integer NOT NULL DEFAULT 0,      -- rows, ever
  untold       integer NOT NULL DEFAULT 0,      -- of these, not in the audit trail yet
  began_at     integer NOT NULL DEFAULT 0,      -- the pass under way, or the last one
  at           integer NOT NULL DEFAULT 0,      -- its last batch
  done_at      integer NOT NULL DEFAULT 0,      -- when a pass came to its end
  holder       text NOT NULL DEFAULT '',
  leased_until integer NOT NULL DEFAULT 0
);

-- By which the oldest are found.
CREATE INDEX requests_closed ON requests (created_at, id) WHERE NOT live;
CREATE INDEX tasks_done ON tasks (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX grants_over ON grants (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX exceptions_ended ON exceptions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX exclusions_ended ON exclusions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deputies_ended ON deputies (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX cases_decided ON cases (decided_at) WHERE decided_at IS NOT NULL;
CREATE INDEX imports_at ON imports (at);
CREATE INDEX drift_deleted_at ON drift_deleted (at);
CREATE INDEX removals_at ON removals (at);
CREATE INDEX releases_at ON releases (at);

-- How far the audit trail has been verified in the background, and what was found there.
CREATE TABLE audit_watch (
  id           integer PRIMARY KEY,       -- 1: there is one row
  leased_until bigint NOT NULL,           -- by the replica that verifies at the moment
  state        text NOT NULL              -- JSON: of the pass under way, and of the last one
);
INSERT INTO audit_watch (id, leased_until, state) VALUES (1, 0, '{}');
