-- A sweep looks at everybody once after the configuration has changed: whoever takes
-- the lease works on the next people after done_to. A newer version begins again.
CREATE TABLE sweeps (
  id           integer PRIMARY KEY,   -- always 1
  version      integer NOT NULL,      -- of the configuration
  done_to      text NOT NULL,         -- the last person seen
  started_at   integer NOT NULL,
  holder       text NOT NULL,
  leased_until integer NOT NULL
);

-- Texts that somebody rolled back: a restart with the old file must not bring one back.
CREATE TABLE config_rolled_back (
  digest  text PRIMARY KEY,
  version integer NOT NULL,           -- under which it was in force
  by_whom text NOT NULL,
  at      integer NOT NULL
);
