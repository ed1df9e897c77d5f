-- Tokens of sources that were made by command rather than in the configuration.
-- A rotation moves hash to previous_hash, which is valid until previous_until.
CREATE TABLE tokens (
  id             text PRIMARY KEY,
  source         text NOT NULL,
  name           text NOT NULL,
  hash           bytea NOT NULL UNIQUE,
  previous_hash  bytea UNIQUE,
  previous_until bigint,
  created_at     bigint NOT NULL,
  created_by     text NOT NULL,
  issued_at      bigint NOT NULL,
  expires_at     bigint,
  revoked_at     bigint,
  last_used      bigint
);
CREATE UNIQUE INDEX tokens_name ON tokens (source, name) WHERE revoked_at IS NULL;
