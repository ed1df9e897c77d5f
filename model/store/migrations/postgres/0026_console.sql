-- Accounts in a state, page by page in order of identity.
DROP INDEX accounts_state;
CREATE INDEX accounts_state ON accounts (target, state, identity_id);
