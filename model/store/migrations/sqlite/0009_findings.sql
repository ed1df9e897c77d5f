-- Exceptions to conflicts, what is wrong with the facts, and numbers that no two
-- people share.
CREATE TABLE exceptions (
  id          text PRIMARY KEY,
  identity_id text NOT NULL,
  roles       text NOT NULL,
  owner       text NOT NULL,
  reason      text NOT NULL,
  made_by     text NOT NULL,
  request     text NOT NULL DEFAULT '',
  from_at     integer NOT NULL,
  until_at    integer NOT NULL,
  ended_at    integer,
  ended_by    text NOT NULL DEFAULT '',
  made_at     integer NOT NULL
);
CREATE INDEX exceptions_by_identity ON exceptions (identity_id, id) WHERE ended_at IS NULL;
CREATE INDEX exceptions_by_owner ON exceptions (owner, identity_id) WHERE ended_at IS NULL;

-- Of a source as a whole where there is no identity.
CREATE TABLE findings (
  identity_id text NOT NULL,
  kind        text NOT NULL,
  subject     text NOT NULL,
  source      text NOT NULL,
  message     text NOT NULL,
  since       integer NOT NULL,
  PRIMARY KEY (identity_id, kind, subject, source)
);
CREATE INDEX findings_by_kind ON findings (kind, source, identity_id, subject);
CREATE INDEX findings_by_source ON findings (source, kind, identity_id, subject);

-- The number of those who are with the organisation or about to be, in the form in
-- which it is compared; empty where they have none.
ALTER TABLE identities ADD COLUMN number text NOT NULL DEFAULT '';
CREATE INDEX identities_by_number ON identities (number, id) WHERE number <> '';

-- What was found before was kept as texts alone: it is found anew.
INSERT INTO marks (identity_id, generation, urgent, marked_at, leased_until)
SELECT id, 1, FALSE, CAST(strftime('%s', 'now') AS integer) * 1000000, 0 FROM identities WHERE findings <> '[]' AND findings <> 'null' AND erased_at IS NULL
ON CONFLICT (identity_id) DO UPDATE SET generation = marks.generation + 1;
UPDATE identities SET findings = '[]' WHERE findings <> '[]';
