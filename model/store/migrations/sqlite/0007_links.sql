-- Who belongs together: cases for a person to decide, and what was decided to be apart.
ALTER TABLE identities ADD COLUMN merged_into text NOT NULL DEFAULT '';
CREATE INDEX identities_merged ON identities (merged_into) WHERE merged_into <> '';

-- A resource that could belong to several people. At most one case of a resource is open.
CREATE TABLE cases (
  id          text PRIMARY KEY,
  identity_id text NOT NULL,          -- whom the resource stands for meanwhile
  source      text NOT NULL,
  resource_id text NOT NULL,
  rule        text NOT NULL,
  candidates  text NOT NULL,          -- JSON list of identities
  blocks      integer NOT NULL,
  opened_at   integer NOT NULL,
  decided_at  integer,
  decided_by  text NOT NULL,
  decision    text NOT NULL           -- identity it was linked to; empty: somebody of its own
);
CREATE UNIQUE INDEX cases_open ON cases (resource_id) WHERE decided_at IS NULL;
CREATE INDEX cases_identity ON cases (identity_id);

-- What was decided to be apart: matching never takes a resource of this source that has
-- this key (its id, name or number, hashed) for this identity.
CREATE TABLE apart (
  source      text NOT NULL,
  key         text NOT NULL,
  identity_id text NOT NULL,
  owner_id    text NOT NULL,          -- the identity whose resource has the key
  at          integer NOT NULL,
  PRIMARY KEY (source, key, identity_id)
);
CREATE INDEX apart_identity ON apart (identity_id);
CREATE INDEX apart_owner ON apart (owner_id);

-- Which resources and accounts came to their identity by a link, and from whom, so that
-- the link can be undone.
CREATE TABLE linked_resources (
  resource_id text PRIMARY KEY,
  identity_id text NOT NULL,          -- whose it was before the first link
  at          integer NOT NULL
);
CREATE INDEX linked_resources_identity ON linked_resources (identity_id);
CREATE TABLE linked_accounts (
  identity_id text NOT NULL,          -- whose it was before the link
  target      text NOT NULL,
  remote_id   text NOT NULL,
  at          integer NOT NULL,
  PRIMARY KEY (identity_id, target)
);
-- What was asked of an identity, or allowed to it, and went with it by a link.
CREATE TABLE linked_asked (
  identity_id text NOT NULL,          -- whose it was before the link
  kind        text NOT NULL,          -- request, exception, deputy: whom one answers for, stands_in: who answers
  item        text NOT NULL,
  at          integer NOT NULL,
  PRIMARY KEY (identity_id, kind, item)
);

-- SQLite takes a partial index only where the statement repeats its condition, which
-- look-ups by value do not.
DROP INDEX resources_identity;
CREATE INDEX resources_identity ON resources (identity_id);
DROP INDEX accounts_remote;
CREATE INDEX accounts_remote ON accounts (target, remote_id);
DROP INDEX audit_identity;
CREATE INDEX audit_identity ON audit (identity_id, at);
