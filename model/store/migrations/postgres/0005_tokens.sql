-- Tokens of sources that were made by command rather than in the configuration.
CREATE TABLE tokens (
  id         text PRIMARY KEY,
  source     text NOT NULL,
  name       text NOT NULL,
  hash       bytea NOT NULL UNIQUE,
  created_at bigint NOT NULL,
  expires_at bigint,
  revoked_at bigint
);
CREATE INDEX tokens_source ON tokens (source, name);
