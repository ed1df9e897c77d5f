-- Credentials and progress of targets.
-- What is known of the credentials that the configuration names. A slot that comes to
-- name another secret starts anew; the secret itself is never here.
CREATE TABLE target_credentials (
  target     text NOT NULL,
  slot       text NOT NULL,               -- present, next
  reference  text NOT NULL,               -- how the configuration names it, and until when it says it lasts
  first_seen integer NOT NULL,
  in_use     boolean NOT NULL DEFAULT FALSE,
  tested_at  integer,                     -- the last harmless call with it
  refused    text NOT NULL DEFAULT '',    -- why that failed; empty: it did not
  tries      integer NOT NULL DEFAULT 0,  -- calls refused in a row
  warned     integer NOT NULL DEFAULT 0,  -- days before its end that were warned of last; 0: none yet
  PRIMARY KEY (target, slot)
);

-- How far the work that waits at a target has come since it began to wait.
CREATE TABLE target_progress (
  target     text PRIMARY KEY,
  since      integer NOT NULL,
  at         integer NOT NULL,
  done       integer NOT NULL,
  waiting    integer NOT NULL,
  per_second double precision NOT NULL
);
