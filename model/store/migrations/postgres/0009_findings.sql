-- Exceptions to conflicts, what is wrong with the facts, and numbers that no two
-- people share.
CREATE TABLE exceptions (
  id          text COLLATE "C" PRIMARY KEY,
  identity_id text COLLATE "C" NOT NULL,
  roles       text COLLATE "C" NOT NULL,
  owner       text COLLATE "C" NOT NULL,
  reason      text COLLATE "C" NOT NULL,
  made_by     text COLLATE "C" NOT NULL,
  request     text COLLATE "C" NOT NULL DEFAULT '',
  from_at     bigint NOT NULL,
  until_at    bigint NOT NULL,
  ended_at    bigint,
  ended_by    text COLLATE "C" NOT NULL DEFAULT '',
  made_at     bigint NOT NULL
);
CREATE INDEX exceptions_by_identity ON exceptions (identity_id, id) WHERE ended_at IS NULL;
CREATE INDEX exceptions_by_owner ON exceptions (owner, identity_id) WHERE ended_at IS NULL;

-- Of a source as a whole where there is no identity.
CREATE TABLE findings (
  identity_id text COLLATE "C" NOT NULL,
  kind        text COLLATE "C" NOT NULL,
  subject     text COLLATE "C" NOT NULL,
  source      text COLLATE "C" NOT NULL,
  message     text COLLATE "C" NOT NULL,
  since       bigint NOT NULL,
  PRIMARY KEY (identity_id, kind, subject, source)
);
CREATE INDEX findings_by_kind ON findings (kind, source, identity_id, subject);
CREATE INDEX findings_by_source ON findings (source, kind, identity_id, subject);

-- The number of those who are with the organisation or about to be, in the form in
-- which it is compared; empty where they have none.
ALTER TABLE identities ADD COLUMN number text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX identities_by_number ON identities (number, id) WHERE number <> '';

-- What was found before was kept as texts alone: it is found anew.
INSERT INTO marks (identity_id, generation, urgent, marked_at, leased_until)
SELECT id, 1, FALSE, CAST(extract(epoch FROM now()) * 1000000 AS bigint), 0 FROM identities WHERE findings <> '[]' AND findings <> 'null' AND erased_at IS NULL
ON CONFLICT (identity_id) DO UPDATE SET generation = marks.generation + 1;
UPDATE identities SET findings = '[]' WHERE findings <> '[]';
