-- Leavers and how far they are, and drills: one run for each fact, kept when the
-- accounts have gone on. A run's id is made of the person and the moment.
CREATE TABLE leaver_runs (
  id          text PRIMARY KEY,
  identity_id text NOT NULL,
  kind        text NOT NULL,             -- leaver, drill
  received_at integer NOT NULL,
  ended_at    integer,
  outcome     text NOT NULL DEFAULT '',  -- verified, returned; of a drill: back, late, left
  by_whom     text NOT NULL DEFAULT '',  -- who asked for a drill
  until_at    integer,                    -- when a drill ends by itself
  off_at      integer                     -- from when on a drill gives back
);
CREATE INDEX leaver_runs_received ON leaver_runs (received_at, id);
CREATE INDEX leaver_runs_identity ON leaver_runs (identity_id, received_at);
CREATE INDEX leaver_runs_open ON leaver_runs (identity_id) WHERE ended_at IS NULL;

CREATE TABLE leaver_targets (
  run_id      text NOT NULL,
  target      text NOT NULL,
  state       text NOT NULL,
  sent_at     integer,
  accepted_at integer,
  verified_at integer,
  back_at     integer,                    -- of a drill: the account was seen active again
  attempts    integer NOT NULL DEFAULT 0,
  next_at     integer,
  last_error  text NOT NULL DEFAULT '',
  error_class text NOT NULL DEFAULT '',
  status      integer NOT NULL DEFAULT 0,
  note        text NOT NULL DEFAULT '',  -- what could only be confirmed; why a drill leaves it out
  risk_at     integer,                    -- since when the goal was at risk
  late_at     integer,                    -- since when it is missed
  PRIMARY KEY (run_id, target)
);

-- The account of somebody who takes part in a drill.
ALTER TABLE accounts ADD COLUMN drill boolean NOT NULL DEFAULT FALSE;
CREATE INDEX accounts_leavers_due ON accounts (next_at) WHERE leaver AND due;

-- Who was leaving when this was introduced.
INSERT INTO leaver_runs (id, identity_id, kind, received_at)
SELECT DISTINCT identity_id || '-' || leaver_at, identity_id, 'leaver', leaver_at FROM accounts WHERE leaver AND leaver_at IS NOT NULL;
INSERT INTO leaver_targets (run_id, target, state, verified_at, attempts, last_error, error_class)
SELECT identity_id || '-' || leaver_at, target,
  CASE WHEN state IN ('disabled', 'deleted') THEN 'verified' WHEN state = 'held' OR leaver_held THEN 'held' WHEN state = 'failed' THEN 'failed' ELSE 'waiting' END,
  CASE WHEN state IN ('disabled', 'deleted') THEN coalesce(verified_at, updated_at) END, attempts, last_error, error_class
FROM accounts WHERE leaver AND leaver_at IS NOT NULL;
UPDATE leaver_runs SET outcome = 'verified', ended_at = (SELECT max(t.verified_at) FROM leaver_targets t WHERE t.run_id = leaver_runs.id)
WHERE NOT EXISTS (SELECT 1 FROM leaver_targets t WHERE t.run_id = leaver_runs.id AND t.verified_at IS NULL);
