-- Imports, and what is known of sources as a whole.
-- When a source was last heard of, and since when it has been silent for longer than
-- it may be.
CREATE TABLE source_state (
  source       text PRIMARY KEY,
  last_seen    bigint,               -- its last request or import; none yet
  watched_at   bigint NOT NULL,      -- since when silence is counted
  silent_since bigint
);

-- Imports that changed something.
CREATE TABLE imports (
  id       text PRIMARY KEY,
  source   text NOT NULL,
  at       bigint NOT NULL,
  actor    text NOT NULL,
  digest   text NOT NULL,            -- of the difference
  partial  boolean NOT NULL,
  released boolean NOT NULL,         -- a person let it pass beyond the source's guard
  total    bigint NOT NULL,          -- rows
  creates  bigint NOT NULL,
  updates  bigint NOT NULL,
  disables bigint NOT NULL,
  enables  bigint NOT NULL
);
CREATE INDEX imports_source ON imports (source, at);

-- When somebody ends, since when that is known, and whether they left as planned: the
-- guard over a source's leavers does not count these.
ALTER TABLE identities ADD COLUMN ends_at bigint;
ALTER TABLE identities ADD COLUMN ends_known_at bigint;
ALTER TABLE identities ADD COLUMN left_planned boolean NOT NULL DEFAULT FALSE;
