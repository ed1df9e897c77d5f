-- What people and programs are to be told of: written with what happened, expanded into
-- one delivery for each receiver that wants it.
CREATE TABLE notices (
  id          text PRIMARY KEY,      -- grows with time
  at          bigint NOT NULL,
  type        text NOT NULL,         -- approval.wanted, target.quarantined, …
  subject     text NOT NULL,         -- what it is about: target/NAME, request/ID, …
  key         text NOT NULL,         -- two of one type and key are one; empty: none is
  identity_id text NOT NULL,         -- whom it is about; empty: nobody in particular
  asked       text NOT NULL,           -- JSON list: identities and role:NAME of whom something is wanted
  data        text NOT NULL,           -- JSON object
  expanded    boolean NOT NULL
);
CREATE UNIQUE INDEX notices_key ON notices (type, key) WHERE key <> '';
CREATE INDEX notices_new ON notices (id) WHERE NOT expanded;
CREATE INDEX notices_type ON notices (type, id);
CREATE INDEX notices_identity ON notices (identity_id) WHERE identity_id <> '';

CREATE TABLE deliveries (
  id         text PRIMARY KEY,       -- grows with time
  notice_id  text NOT NULL REFERENCES notices (id) ON DELETE CASCADE,
  receiver   text NOT NULL,          -- name in the configuration
  recipient  text NOT NULL,          -- identity or e-mail address; empty: the receiver itself
  bundle     boolean NOT NULL,         -- told together with others of the same recipient
  state      text NOT NULL,          -- pending, done, failed, obsolete
  attempts   int NOT NULL,
  next_at    bigint NOT NULL,          -- of a pending one: when it is tried, or given up on by who has it
  status     int NOT NULL,             -- of the last answer; 0: there was none
  answer     text NOT NULL,            -- what was answered, or went wrong, in short
  created_at bigint NOT NULL,
  ended_at   bigint
);
CREATE UNIQUE INDEX deliveries_once ON deliveries (notice_id, receiver, recipient);
CREATE INDEX deliveries_due ON deliveries (receiver, next_at) WHERE state = 'pending';
CREATE INDEX deliveries_receiver ON deliveries (receiver, id);
CREATE INDEX deliveries_state ON deliveries (state, id);
CREATE INDEX deliveries_recipient ON deliveries (recipient) WHERE recipient <> '';

-- What is known of receivers.
CREATE TABLE receivers (
  name        text PRIMARY KEY,
  fingerprint text NOT NULL,         -- of where it is: elsewhere it is another one
  off_at      bigint,                  -- it said that it is gone; NULL: it is told
  why         text NOT NULL,
  last_ok     bigint,
  last_failed bigint,
  failures    int NOT NULL             -- in a row
);
