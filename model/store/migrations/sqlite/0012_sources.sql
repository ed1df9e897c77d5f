-- Imports, and what is known of sources as a whole.
-- When a source was last heard of, and since when it has been silent for longer than
-- it may be.
CREATE TABLE source_state (
  source       text PRIMARY KEY,
  last_seen    integer,               -- its last request or import; none yet
  watched_at   integer NOT NULL,      -- since when silence is counted
  silent_since integer
);

-- Imports that changed something.
CREATE TABLE imports (
  id       text PRIMARY KEY,
  source   text NOT NULL,
  at       integer NOT NULL,
  actor    text NOT NULL,
  digest   text NOT NULL,            -- of the difference
  partial  boolean NOT NULL,
  released boolean NOT NULL,         -- a person let it pass beyond the source's guard
  total    integer NOT NULL,          -- rows
  creates  integer NOT NULL,
  updates  integer NOT NULL,
  disables integer NOT NULL,
  enables  integer NOT NULL
);
CREATE INDEX imports_source ON imports (source, at);

-- When somebody ends, since when that is known, and whether they left as planned: the
-- guard over a source's leavers does not count these.
ALTER TABLE identities ADD COLUMN ends_at integer;
ALTER TABLE identities ADD COLUMN ends_known_at integer;
ALTER TABLE identities ADD COLUMN left_planned boolean NOT NULL DEFAULT FALSE;
