-- What is older than it is kept is taken away: how far that is, of each table or of what
-- belongs together. The row without a kind is who does it at the moment.
CREATE TABLE IF NOT EXISTS pruning (
  kind         text COLLATE "C" PRIMARY KEY,
  until_at     bigint NOT NULL DEFAULT 0,      -- what was over by then is gone
  place        text NOT NULL DEFAULT '',       -- where the next batch begins
  gone         bigint NOT NULL DEFAULT 0,      -- rows, ever
  untold       bigint NOT NULL DEFAULT 0,      -- of these, not in the audit trail yet
  began_at     bigint NOT NULL DEFAULT 0,      -- the pass under way, or the last one
  at           bigint NOT NULL DEFAULT 0,      -- its last batch
  done_at      bigint NOT NULL DEFAULT 0,      -- when a pass came to its end
  holder       text NOT NULL DEFAULT '',
  leased_until bigint NOT NULL DEFAULT 0
);

-- By which the oldest are found.
CREATE INDEX IF NOT EXISTS requests_closed ON requests (created_at, id) WHERE NOT live;
CREATE INDEX IF NOT EXISTS tasks_done ON tasks (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS grants_over ON grants (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS exceptions_ended ON exceptions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS exclusions_ended ON exclusions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS deputies_ended ON deputies (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS cases_decided ON cases (decided_at) WHERE decided_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS imports_at ON imports (at);
CREATE INDEX IF NOT EXISTS drift_deleted_at ON drift_deleted (at);
CREATE INDEX IF NOT EXISTS removals_at ON removals (at);
CREATE INDEX IF NOT EXISTS releases_at ON releases (at);

-- Rows that are written again and again: room for the next version on the same page, and
-- a vacuum that comes before there is much to do, whatever the size of the table.
ALTER TABLE audit_heads SET (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE resource_counts SET (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE targets SET (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE rates SET (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE target_progress SET (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE sweeps SET (fillfactor = 20, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE sessions SET (fillfactor = 70, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE marks SET (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE group_marks SET (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE idempotency SET (fillfactor = 80, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE accounts SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE identities SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
-- Rows that are added at one end and taken away at the other.
ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE audit SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE identity_history SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE account_history SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE notices SET (autovacuum_vacuum_scale_factor = 0.02);

-- How far the audit trail has been verified in the background, and what was found there.
CREATE TABLE IF NOT EXISTS audit_watch (
  id           integer PRIMARY KEY,       -- 1: there is one row
  leased_until bigint NOT NULL,           -- by the replica that verifies at the moment
  state        text NOT NULL              -- JSON: of the pass under way, and of the last one
);
INSERT INTO audit_watch (id, leased_until, state) VALUES (1, 0, '{}') ON CONFLICT (id) DO NOTHING;
