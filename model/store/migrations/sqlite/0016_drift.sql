-- What sweeps see of accounts and memberships.

-- Beginning of the last sweep that the target showed the account in.
ALTER TABLE accounts ADD COLUMN seen_at integer NOT NULL DEFAULT 0;

-- Differences that nobody told the hub about, found by the last sweeps of a target.
CREATE TABLE drift_found (
  target     text NOT NULL,
  object     text NOT NULL,            -- identity id, "?" and the id of an account that is nobody's, "group " and the name of a group
  kind       text NOT NULL,            -- changed, missing, unknown, membership, resurrected
  subject    text NOT NULL,            -- the group of a membership
  user_name  text NOT NULL,
  remote_id  text NOT NULL,
  fields     text NOT NULL,            -- JSON of what differs
  observed   text NOT NULL,            -- JSON of the account as it was shown; empty: absent
  mark       text NOT NULL,            -- what differs: another difference begins anew
  action     text NOT NULL,            -- what follows
  sightings  integer NOT NULL,         -- sweeps in a row that saw it and could be believed
  since      integer NOT NULL,         -- beginning of the first of them
  sweep      integer NOT NULL,         -- beginning of the last that saw it
  done       integer NOT NULL,         -- when the hub acted on it; 0: it has not
  PRIMARY KEY (target, object, kind, subject)
);
CREATE INDEX drift_found_listed ON drift_found (target, kind, user_name, object, subject);

-- The sweep under way at a target: another process goes on where one stopped.
CREATE TABLE drift_progress (
  target text PRIMARY KEY,
  body   text NOT NULL                 -- JSON
);

-- Who is in the groups of a target, while a sweep compares.
CREATE TABLE drift_members (
  target     text NOT NULL,
  remote_id  text NOT NULL,
  group_name text NOT NULL,
  PRIMARY KEY (target, remote_id, group_name)
);

-- Accounts that the hub deleted at a target: one that is there again is noticed.
CREATE TABLE drift_deleted (
  target      text NOT NULL,
  remote_id   text NOT NULL,
  identity_id text NOT NULL,
  leaver      integer NOT NULL,
  at          integer NOT NULL,
  PRIMARY KEY (target, remote_id)
);
