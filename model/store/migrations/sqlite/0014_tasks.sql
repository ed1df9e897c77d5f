-- Tasks for people: changes that the hub cannot make by itself and waits for.
CREATE TABLE tasks (
  id          text PRIMARY KEY,
  kind        text NOT NULL,
  target      text NOT NULL,
  identity_id text NOT NULL,          -- whom it is about; empty: nobody in particular
  digest      text NOT NULL,          -- of exactly what is to be done
  assignee    text NOT NULL,          -- identity, role:NAME, or empty: the operators
  removes     integer NOT NULL,       -- takes access away; counts at the guard while it is open
  created_at  integer NOT NULL,
  due_at      integer NOT NULL,
  done_at     integer,                -- NULL: open
  outcome     text NOT NULL,
  generation  integer NOT NULL,       -- of the account's row
  auto        integer NOT NULL,       -- carried out through the application's own API
  next_at     integer,                -- when that is tried
  doc         text NOT NULL
);
CREATE UNIQUE INDEX tasks_open ON tasks (target, identity_id, kind, digest) WHERE done_at IS NULL;
CREATE INDEX tasks_identity ON tasks (identity_id, id);
CREATE INDEX tasks_due ON tasks (due_at, id) WHERE done_at IS NULL;
CREATE INDEX tasks_auto ON tasks (target, next_at) WHERE done_at IS NULL AND auto;

-- An account whose invitation was not accepted yet when it was last seen; and when
-- what its owner has there had been handed on.
ALTER TABLE accounts ADD COLUMN invited integer NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN transferred_at integer;
