-- Times are microseconds since 1970-01-01 UTC, so that both databases compare them alike.
-- Text compares byte by byte (BINARY).

CREATE TABLE resources (
  id          text PRIMARY KEY,
  source      text NOT NULL,
  kind        text NOT NULL,
  key         text NOT NULL,          -- folded userName of a User; empty elsewhere
  external_id text NOT NULL,
  display     text NOT NULL,          -- displayName as written, for references to it
  doc         text NOT NULL,        -- attributes as served, without id, meta, members, groups
  search      text NOT NULL,       -- the same, folded, for filters
  version     integer NOT NULL,
  created_at  integer NOT NULL,
  modified_at integer NOT NULL,
  identity_id text NOT NULL           -- empty for all but Users
);
CREATE UNIQUE INDEX resources_key ON resources (kind, key, source) WHERE key <> '';
CREATE INDEX resources_page ON resources (source, kind, id);
CREATE INDEX resources_external ON resources (source, kind, external_id) WHERE external_id <> '';
CREATE INDEX resources_identity ON resources (identity_id) WHERE identity_id <> '';

CREATE TABLE group_members (
  group_id  text NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
  member_id text NOT NULL,            -- may name a resource that does not exist yet
  type      text NOT NULL,
  display   text NOT NULL,
  fold      text NOT NULL,          -- display, folded for filters
  type_fold text NOT NULL,
  PRIMARY KEY (group_id, member_id)
);
CREATE INDEX group_members_member ON group_members (member_id);

-- How many resources there are, in lanes, so that concurrent creates do not queue for one row.
CREATE TABLE resource_counts (
  source text NOT NULL,
  kind   text NOT NULL,
  lane   integer NOT NULL,
  n      integer NOT NULL,
  PRIMARY KEY (source, kind, lane)
);

CREATE TABLE identities (
  id           text PRIMARY KEY,
  name         text NOT NULL,
  key          text NOT NULL,          -- name, folded
  stage        text NOT NULL,          -- as of the last evaluation
  user_doc     text NOT NULL,
  origin       text NOT NULL,
  version      integer NOT NULL,
  created_at   integer NOT NULL,
  evaluated_at integer,
  next_at      integer,               -- when a date changes the stage by itself
  left_at      integer,
  left_source  text NOT NULL,
  over_guard   integer NOT NULL,     -- left beyond the source's limit of leavers
  erased_at    integer,
  findings     text NOT NULL         -- rules that could not be decided, JSON list
);
CREATE INDEX identities_key ON identities (key, id);
CREATE INDEX identities_next ON identities (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX identities_left ON identities (left_source, left_at) WHERE left_at IS NOT NULL;

-- A mark says "may differ", never what changed. Marking again raises the generation;
-- a mark goes only if its generation is the one that was worked on.
CREATE TABLE marks (
  identity_id text PRIMARY KEY,
  generation  integer NOT NULL,
  urgent      integer NOT NULL,
  marked_at   integer NOT NULL,
  leased_until integer NOT NULL
);
CREATE INDEX marks_order ON marks (urgent DESC, marked_at);

CREATE TABLE grants (
  id          text PRIMARY KEY,
  identity_id text NOT NULL,
  role        text NOT NULL,
  because     text NOT NULL,
  approved_by text NOT NULL,
  version     integer NOT NULL,
  from_at     integer NOT NULL,
  until_at    integer,                -- planned end
  ended_at    integer                 -- set when the grant is over; rows stay as history
);
CREATE UNIQUE INDEX grants_current ON grants (identity_id, role) WHERE ended_at IS NULL;
CREATE INDEX grants_identity ON grants (identity_id);
CREATE INDEX grants_role ON grants (role) WHERE ended_at IS NULL;

CREATE TABLE targets (
  name           text PRIMARY KEY,
  holder         text NOT NULL,
  leased_until   integer NOT NULL,
  state          text NOT NULL,        -- JSON of TargetState
  sweep          text NOT NULL DEFAULT ''           -- JSON of Sweep: what the last drift sweep found
);

CREATE TABLE accounts (
  target       text NOT NULL,
  identity_id  text NOT NULL,
  user_name    text NOT NULL,
  remote_id    text NOT NULL,
  owned        text NOT NULL,
  desired      text,
  applied      text,
  observed     text,
  because      text NOT NULL,
  leaver       integer NOT NULL,
  leaver_at    integer,
  leaver_held  integer NOT NULL,
  state        text NOT NULL,
  drift        text NOT NULL,
  due          integer NOT NULL,
  enabled      integer NOT NULL,      -- applied is active
  disabled_at  integer,
  generation   integer NOT NULL,
  attempts     integer NOT NULL,
  next_at      integer NOT NULL,
  last_error   text NOT NULL,
  error_class  text NOT NULL,
  verified_at  integer,
  updated_at   integer NOT NULL,
  PRIMARY KEY (target, identity_id)
);
CREATE INDEX accounts_due ON accounts (target, leaver DESC, next_at) WHERE due;
CREATE INDEX accounts_state ON accounts (target, state);
CREATE INDEX accounts_identity ON accounts (identity_id);
CREATE INDEX accounts_remote ON accounts (target, remote_id) WHERE remote_id <> '';

CREATE TABLE target_groups (
  target     text NOT NULL,
  name       text NOT NULL,
  remote_id  text NOT NULL,
  owned      text NOT NULL,
  state      text NOT NULL,
  last_error text NOT NULL,
  attempts   integer NOT NULL,
  next_at    integer NOT NULL,
  PRIMARY KEY (target, name)
);

-- Removals carried out, for the sliding window of the guard.
CREATE TABLE removals (
  target      text NOT NULL,
  at          integer NOT NULL,
  identity_id text NOT NULL
);
CREATE INDEX removals_window ON removals (target, at);

-- A release names the digest of one change; if the world moves the digest does, too.
CREATE TABLE releases (
  target text NOT NULL,
  digest text NOT NULL,
  by_whom text NOT NULL,
  at     integer NOT NULL,
  PRIMARY KEY (target, digest)
);

CREATE TABLE config_versions (
  version integer PRIMARY KEY,
  digest  text NOT NULL,
  body    text NOT NULL,
  by_whom text NOT NULL,
  at      integer NOT NULL
);

CREATE TABLE events (
  id          text PRIMARY KEY,
  at          integer NOT NULL,
  type        text NOT NULL,
  source      text NOT NULL,
  resource_id text NOT NULL,
  identity_id text NOT NULL,
  data        text NOT NULL
);
CREATE INDEX events_identity ON events (identity_id, id);

-- The audit trail is a hash chain per lane: hash = sha256(previous hash || sha256(entry)).
CREATE TABLE audit (
  lane        integer NOT NULL,
  seq         integer NOT NULL,
  at          integer NOT NULL,
  actor       text NOT NULL,
  action      text NOT NULL,
  object      text NOT NULL,
  identity_id text NOT NULL,
  data        text NOT NULL,
  hash        blob NOT NULL,
  PRIMARY KEY (lane, seq)
);
CREATE INDEX audit_identity ON audit (identity_id, at) WHERE identity_id <> '';
CREATE INDEX audit_at ON audit (at);
CREATE TABLE audit_heads (
  lane integer PRIMARY KEY,
  seq  integer NOT NULL,
  hash blob NOT NULL
);
WITH RECURSIVE l(lane) AS (SELECT 0 UNION ALL SELECT lane + 1 FROM l WHERE lane < 15)
INSERT INTO audit_heads (lane, seq, hash) SELECT lane, 0, x'' FROM l;
