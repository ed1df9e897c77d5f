-- Sessions of who signed in at the console. What is kept of the browser's token is a hash.
CREATE TABLE sessions (
  id         text PRIMARY KEY,       -- grows with time
  hash       text NOT NULL UNIQUE,
  kind       text NOT NULL,          -- oidc, link or token
  name       text NOT NULL,          -- who, as the audit trail names them
  role       text NOT NULL,          -- as it was worked out at sign-in
  person     text NOT NULL,          -- identity; empty: nobody the hub knows
  issuer     text NOT NULL,          -- of the OpenID provider; empty: another way in
  subject    text NOT NULL,
  sid        text NOT NULL,          -- the provider's own session
  data       text NOT NULL,          -- JSON: what rights are worked out from
  agent      text NOT NULL,
  address    text NOT NULL,
  created_at integer NOT NULL,
  seen_at    integer NOT NULL,
  expires_at integer NOT NULL,
  ended_at   integer,
  ended_by   text NOT NULL,
  ended_why  text NOT NULL
);
CREATE INDEX sessions_live ON sessions (id) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_person ON sessions (person) WHERE person <> '';
CREATE INDEX sessions_name ON sessions (name, id);
CREATE INDEX sessions_subject ON sessions (issuer, subject) WHERE ended_at IS NULL AND issuer <> '';

-- Links that let somebody in once.
CREATE TABLE sign_in_links (
  hash       blob PRIMARY KEY,
  role       text NOT NULL,
  first      boolean NOT NULL,       -- printed by a hub that nobody can sign in to otherwise
  created_at integer NOT NULL,
  created_by text NOT NULL,
  expires_at integer NOT NULL,
  used_at    integer
);

-- Answers of the provider that made a session, so that none makes two.
CREATE TABLE sign_in_states (
  hash       blob PRIMARY KEY,
  expires_at integer NOT NULL
);
CREATE INDEX sign_in_states_expires ON sign_in_states (expires_at);

-- Tokens of the API that were made by command have the source "admin/".
ALTER TABLE tokens ADD COLUMN role text NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN scope text NOT NULL DEFAULT '';   -- words joined by commas
ALTER TABLE tokens ADD COLUMN targets text NOT NULL DEFAULT ''; -- names joined by commas
ALTER TABLE tokens ADD COLUMN person text NOT NULL DEFAULT '';  -- whom it acts for
