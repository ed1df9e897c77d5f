-- Values that resources are found by, or that no two may share: those of attributes
-- that have no column of their own. uniq: no other resource of the source and kind
-- may have it.
CREATE TABLE resource_values (
  resource_id text NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
  attr        text NOT NULL,                 -- path of the attribute, in lower case
  value       text NOT NULL,                 -- as the search document has it
  kind        text NOT NULL,
  source      text NOT NULL,
  uniq        boolean NOT NULL,
  PRIMARY KEY (resource_id, attr, value)
) WITHOUT ROWID;
CREATE INDEX resource_values_find ON resource_values (kind, attr, value);
CREATE UNIQUE INDEX resource_values_unique ON resource_values (kind, attr, value, source) WHERE uniq;

INSERT INTO resource_values (resource_id, attr, value, kind, source, uniq)
SELECT DISTINCT r.id, 'emails.value', json_extract(e.value, '$.value'), r.kind, r.source, FALSE
FROM resources r, json_each(r.search, '$.emails') AS e
WHERE r.kind = 'User' AND length(json_extract(e.value, '$.value')) BETWEEN 1 AND 256;
INSERT INTO resource_values (resource_id, attr, value, kind, source, uniq)
SELECT r.id, 'displayname', json_extract(r.search, '$.displayname'), r.kind, r.source, FALSE
FROM resources r WHERE r.kind = 'Group' AND length(json_extract(r.search, '$.displayname')) BETWEEN 1 AND 256;

-- Sources are asked for somebody of another source by externalId, too.
DROP INDEX resources_external;
CREATE INDEX resources_external ON resources (kind, external_id, source) WHERE external_id <> '';

-- How many resources went, and which of late: what deep pages are counted with.
ALTER TABLE resource_counts ADD COLUMN gone bigint NOT NULL DEFAULT 0;
CREATE TABLE resource_tombstones (
  source text NOT NULL,
  kind   text NOT NULL,
  at     bigint NOT NULL,
  id     text NOT NULL,
  PRIMARY KEY (source, kind, at, id)
);

-- Hashes of passwords: never in a document, an event or the audit trail.
CREATE TABLE resource_passwords (
  resource_id text PRIMARY KEY NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
  hash        text NOT NULL,               -- argon2id, in PHC form
  changed_at  bigint NOT NULL
);

-- Keys of the process that every replica must share, such as the one that seals cursors.
CREATE TABLE process_keys (
  name text PRIMARY KEY NOT NULL,
  key  blob NOT NULL
);
