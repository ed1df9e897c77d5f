-- Tokens of sources that were made by command rather than in the configuration.
CREATE TABLE tokens (
  id         text PRIMARY KEY,
  source     text NOT NULL,
  name       text NOT NULL,
  hash       blob NOT NULL UNIQUE,
  created_at integer NOT NULL,
  expires_at integer,
  revoked_at integer
);
CREATE INDEX tokens_source ON tokens (source, name);
