-- Times are microseconds since 1970-01-01 UTC, so that both databases compare them alike.
-- Text that filters compare byte by byte has COLLATE "C".

CREATE TABLE resources (
  id          text COLLATE "C" PRIMARY KEY,
  source      text COLLATE "C" NOT NULL,
  kind        text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,          -- folded userName of a User; empty elsewhere
  external_id text COLLATE "C" NOT NULL,
  display     text COLLATE "C" NOT NULL,          -- displayName as written, for references to it
  doc         text NOT NULL,        -- attributes as served, without id, meta, members, groups
  search      jsonb NOT NULL,       -- the same, folded, for filters
  version     bigint NOT NULL,
  created_at  bigint NOT NULL,
  modified_at bigint NOT NULL,
  identity_id text COLLATE "C" NOT NULL           -- empty for all but Users
);
CREATE UNIQUE INDEX resources_key ON resources (kind, key, source) WHERE key <> '';
CREATE INDEX resources_page ON resources (source, kind, id);
CREATE INDEX resources_external ON resources (source, kind, external_id) WHERE external_id <> '';
CREATE INDEX resources_identity ON resources (identity_id) WHERE identity_id <> '';

CREATE TABLE group_members (
  group_id  text COLLATE "C" NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
  member_id text COLLATE "C" NOT NULL,            -- may name a resource that does not exist yet
  type      text COLLATE "C" NOT NULL,
  display   text COLLATE "C" NOT NULL,
  fold      text COLLATE "C" NOT NULL,            -- display, folded for filters
  type_fold text COLLATE "C" NOT NULL,
  PRIMARY KEY (group_id, member_id)
);
CREATE INDEX group_members_member ON group_members (member_id);

-- How many resources there are, in lanes, so that concurrent creates do not queue for one row.
CREATE TABLE resource_counts (
  source text COLLATE "C" NOT NULL,
  kind   text COLLATE "C" NOT NULL,
  lane   int NOT NULL,
  n      bigint NOT NULL,
  PRIMARY KEY (source, kind, lane)
);

CREATE TABLE identities (
  id           text COLLATE "C" PRIMARY KEY,
  name         text COLLATE "C" NOT NULL,
  key          text COLLATE "C" NOT NULL,          -- name, folded
  stage        text COLLATE "C" NOT NULL,          -- as of the last evaluation
  user_doc     text NOT NULL,
  origin       text NOT NULL,
  version      bigint NOT NULL,
  created_at   bigint NOT NULL,
  evaluated_at bigint,
  next_at      bigint,               -- when a date changes the stage by itself
  left_at      bigint,
  left_source  text COLLATE "C" NOT NULL,
  over_guard   boolean NOT NULL,     -- left beyond the source's limit of leavers
  erased_at    bigint,
  findings     text NOT NULL         -- rules that could not be decided, JSON list
);
CREATE INDEX identities_key ON identities (key, id);
CREATE INDEX identities_next ON identities (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX identities_left ON identities (left_source, left_at) WHERE left_at IS NOT NULL;

-- A mark says "may differ", never what changed. Marking again raises the generation;
-- a mark goes only if its generation is the one that was worked on.
CREATE TABLE marks (
  identity_id text COLLATE "C" PRIMARY KEY,
  generation  bigint NOT NULL,
  urgent      boolean NOT NULL,
  marked_at   bigint NOT NULL,
  leased_until bigint NOT NULL
);
CREATE INDEX marks_order ON marks (urgent DESC, marked_at);

CREATE TABLE grants (
  id          text COLLATE "C" PRIMARY KEY,
  identity_id text COLLATE "C" NOT NULL,
  role        text COLLATE "C" NOT NULL,
  because     text NOT NULL,
  approved_by text NOT NULL,
  version     bigint NOT NULL,
  from_at     bigint NOT NULL,
  until_at    bigint,                -- planned end
  ended_at    bigint                 -- set when the grant is over; rows stay as history
);
CREATE UNIQUE INDEX grants_current ON grants (identity_id, role) WHERE ended_at IS NULL;
CREATE INDEX grants_identity ON grants (identity_id);
CREATE INDEX grants_role ON grants (role) WHERE ended_at IS NULL;

CREATE TABLE targets (
  name           text COLLATE "C" PRIMARY KEY,
  holder         text COLLATE "C" NOT NULL,
  leased_until   bigint NOT NULL,
  state          text NOT NULL,        -- JSON of TargetState
  sweep          text NOT NULL DEFAULT ''           -- JSON of Sweep: what the last drift sweep found
);

CREATE TABLE accounts (
  target       text COLLATE "C" NOT NULL,
  identity_id  text COLLATE "C" NOT NULL,
  user_name    text COLLATE "C" NOT NULL,
  remote_id    text COLLATE "C" NOT NULL,
  owned        text COLLATE "C" NOT NULL,
  desired      text,
  applied      text,
  observed     text,
  because      text NOT NULL,
  leaver       boolean NOT NULL,
  leaver_at    bigint,
  leaver_held  boolean NOT NULL,
  state        text COLLATE "C" NOT NULL,
  drift        text COLLATE "C" NOT NULL,
  due          boolean NOT NULL,
  enabled      boolean NOT NULL,      -- applied is active
  disabled_at  bigint,
  generation   bigint NOT NULL,
  attempts     int NOT NULL,
  next_at      bigint NOT NULL,
  last_error   text NOT NULL,
  error_class  text COLLATE "C" NOT NULL,
  verified_at  bigint,
  updated_at   bigint NOT NULL,
  PRIMARY KEY (target, identity_id)
);
CREATE INDEX accounts_due ON accounts (target, leaver DESC, next_at) WHERE due;
CREATE INDEX accounts_state ON accounts (target, state);
CREATE INDEX accounts_identity ON accounts (identity_id);
CREATE INDEX accounts_remote ON accounts (target, remote_id) WHERE remote_id <> '';

CREATE TABLE target_groups (
  target     text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL,
  remote_id  text COLLATE "C" NOT NULL,
  owned      text COLLATE "C" NOT NULL,
  state      text COLLATE "C" NOT NULL,
  last_error text NOT NULL,
  attempts   int NOT NULL,
  next_at    bigint NOT NULL,
  PRIMARY KEY (target, name)
);

-- Removals carried out, for the sliding window of the guard.
CREATE TABLE removals (
  target      text COLLATE "C" NOT NULL,
  at          bigint NOT NULL,
  identity_id text COLLATE "C" NOT NULL
);
CREATE INDEX removals_window ON removals (target, at);

-- A release names the digest of one change; if the world moves the digest does, too.
CREATE TABLE releases (
  target text COLLATE "C" NOT NULL,
  digest text COLLATE "C" NOT NULL,
  by_whom text NOT NULL,
  at     bigint NOT NULL,
  PRIMARY KEY (target, digest)
);

CREATE TABLE config_versions (
  version bigint PRIMARY KEY,
  digest  text COLLATE "C" NOT NULL,
  body    text NOT NULL,
  by_whom text NOT NULL,
  at      bigint NOT NULL
);

CREATE TABLE events (
  id          text COLLATE "C" PRIMARY KEY,
  at          bigint NOT NULL,
  type        text COLLATE "C" NOT NULL,
  source      text COLLATE "C" NOT NULL,
  resource_id text COLLATE "C" NOT NULL,
  identity_id text COLLATE "C" NOT NULL,
  data        text NOT NULL
);
CREATE INDEX events_identity ON events (identity_id, id);

-- The audit trail is a hash chain per lane: hash = sha256(previous hash || sha256(entry)).
CREATE TABLE audit (
  lane        int NOT NULL,
  seq         bigint NOT NULL,
  at          bigint NOT NULL,
  actor       text NOT NULL,
  action      text COLLATE "C" NOT NULL,
  object      text COLLATE "C" NOT NULL,
  identity_id text COLLATE "C" NOT NULL,
  data        text NOT NULL,
  hash        bytea NOT NULL,
  PRIMARY KEY (lane, seq)
);
CREATE INDEX audit_identity ON audit (identity_id, at) WHERE identity_id <> '';
CREATE INDEX audit_at ON audit (at);
CREATE TABLE audit_heads (
  lane int PRIMARY KEY,
  seq  bigint NOT NULL,
  hash bytea NOT NULL
);
INSERT INTO audit_heads (lane, seq, hash) SELECT lane, 0, '\x' FROM generate_series(0, 15) AS lane;
