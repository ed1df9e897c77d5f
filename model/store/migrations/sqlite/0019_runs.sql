-- When something was last sent for an account, and since when it may have been made
-- without our having heard of it; the id of an account that is gone, and since when.
ALTER TABLE accounts ADD COLUMN sent_at integer;
ALTER TABLE accounts ADD COLUMN creating_at integer;
ALTER TABLE accounts ADD COLUMN former_id text NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN gone_at integer;
CREATE INDEX accounts_creating ON accounts (target, user_name) WHERE owned = 'creating';

-- Attributes that refer to another account at the same target.
CREATE TABLE account_references (
  target       text NOT NULL,
  identity_id  text NOT NULL,
  path         text NOT NULL,
  named        text NOT NULL,   -- whom the value names, in the form of names of managers
  referred     text NOT NULL,   -- the identity; empty: nobody is found so far
  remote_id    text NOT NULL,   -- the id written; empty: left out
  PRIMARY KEY (target, identity_id, path)
);
CREATE INDEX account_references_to ON account_references (target, referred) WHERE referred <> '';
CREATE INDEX account_references_open ON account_references (target, named) WHERE referred = '';
CREATE INDEX account_references_identity ON account_references (identity_id);
