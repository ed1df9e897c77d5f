-- Tokens of sources that were made by command rather than in the configuration.
-- A rotation moves hash to previous_hash, which is valid until previous_until.
CREATE TABLE tokens (
  id             text PRIMARY KEY,
  source         text NOT NULL,
  name           text NOT NULL,
  hash           blob NOT NULL UNIQUE,
  previous_hash  blob UNIQUE,
  previous_until integer,
  created_at     integer NOT NULL,
  created_by     text NOT NULL,
  issued_at      integer NOT NULL,
  expires_at     integer,
  revoked_at     integer,
  last_used      integer
);
CREATE UNIQUE INDEX tokens_name ON tokens (source, name) WHERE revoked_at IS NULL;
