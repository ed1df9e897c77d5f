-- What was true when: the history of merged records; the audit trail's checkpoints and erasures.

-- One row each time that what the hub works out of a person changes; doc is JSON.
CREATE TABLE identity_history (
  identity_id text COLLATE "C" NOT NULL,
  at          bigint NOT NULL,
  doc         text NOT NULL,
  PRIMARY KEY (identity_id, at)
);
CREATE INDEX identity_history_at ON identity_history (at, identity_id);
ALTER TABLE identities ADD COLUMN history_hash text NOT NULL DEFAULT '';

-- One row each time that an account at a target changes: what was due and why, and
-- what was there. applied is '=' where it is the same as desired.
CREATE TABLE account_history (
  identity_id text COLLATE "C" NOT NULL,
  target      text COLLATE "C" NOT NULL,
  at          bigint NOT NULL,
  desired     text,
  applied     text,
  because     text NOT NULL,
  leaver      boolean NOT NULL,
  state       text COLLATE "C" NOT NULL,
  drift       text COLLATE "C" NOT NULL,
  error_class text COLLATE "C" NOT NULL,
  last_error  text NOT NULL,
  verified_at bigint,
  PRIMARY KEY (identity_id, target, at)
);
CREATE INDEX account_history_at ON account_history (at);
-- The history begins with what is there; that of people with their next evaluation.
INSERT INTO account_history (identity_id, target, at, desired, applied, because, leaver, state, drift, error_class, last_error, verified_at)
SELECT identity_id, target, updated_at, desired, CASE WHEN applied = desired THEN '=' ELSE applied END, because, leaver, state, drift, error_class, last_error, verified_at
FROM accounts WHERE identity_id NOT LIKE '?%';

-- How an entry is bound: 1 by its data; 2 by a salted hash of its data, so that the
-- data can be erased; 3 and 4 are the same, erased: data_hash says what stood there.
ALTER TABLE audit ADD COLUMN form int NOT NULL DEFAULT 1;
ALTER TABLE audit ADD COLUMN salt bytea;
ALTER TABLE audit ADD COLUMN data_hash bytea;
CREATE INDEX audit_erased ON audit (identity_id) WHERE form > 2;

-- Where a lane begins: what was before is older than the audit trail is kept.
ALTER TABLE audit_heads ADD COLUMN base_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE audit_heads ADD COLUMN base_hash bytea NOT NULL DEFAULT '\x';

-- The heads of all lanes at a moment, signed, so that whoever can write to this
-- database cannot rewrite the trail unseen.
CREATE TABLE audit_checkpoints (
  seq        bigint PRIMARY KEY,
  at         bigint NOT NULL,
  body       text NOT NULL,
  public_key text COLLATE "C" NOT NULL,
  signature  text NOT NULL
);
