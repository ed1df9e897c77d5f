-- Requests for roles, approvals, deputies. The document is the request as the program
-- knows it; the columns are what is asked for.
CREATE TABLE requests (
  id          text PRIMARY KEY,
  identity_id text NOT NULL,          -- who is to hold the role
  role        text NOT NULL,
  state       text NOT NULL,
  live        boolean NOT NULL,       -- something may still become of it
  asked_by    text NOT NULL,          -- identity; empty: an operator or a rule
  created_at  bigint NOT NULL,
  next_at     bigint,                -- when time alone may change it
  version     bigint NOT NULL,
  doc         text NOT NULL
);
CREATE INDEX requests_live ON requests (identity_id) WHERE live;
CREATE INDEX requests_identity ON requests (identity_id, id);
CREATE INDEX requests_state ON requests (state, id);
CREATE INDEX requests_asked_by ON requests (asked_by, id) WHERE asked_by <> '';

-- Who can answer a request now: an identity, or role:NAME for whoever holds the role.
CREATE TABLE request_asked (
  asked      text NOT NULL,
  request_id text NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
  PRIMARY KEY (asked, request_id)
);
CREATE INDEX request_asked_request ON request_asked (request_id);

-- Who answers in somebody's place, and when.
CREATE TABLE deputies (
  id         text PRIMARY KEY,
  person_id  text NOT NULL,
  deputy_id  text NOT NULL,
  from_at    bigint NOT NULL,
  until_at   bigint,
  created_at bigint NOT NULL,
  by_whom    text NOT NULL,
  ended_at   bigint
);
CREATE INDEX deputies_person ON deputies (person_id) WHERE ended_at IS NULL;
CREATE INDEX deputies_deputy ON deputies (deputy_id) WHERE ended_at IS NULL;

-- Whom a person names as manager: as the source wrote it, and whom that is.
ALTER TABLE identities ADD COLUMN manager_id text NOT NULL DEFAULT '';
ALTER TABLE identities ADD COLUMN manager_named text NOT NULL DEFAULT '';
CREATE INDEX identities_manager ON identities (manager_id) WHERE manager_id <> '';
CREATE INDEX identities_manager_missing ON identities (manager_named) WHERE manager_id = '' AND manager_named <> '';
