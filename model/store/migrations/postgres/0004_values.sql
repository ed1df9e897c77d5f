-- Keys of the process that every replica must share, such as the one that seals cursors.
CREATE TABLE process_keys (
  name text PRIMARY KEY,
  key  bytea NOT NULL
);
