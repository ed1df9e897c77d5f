-- What was sent to a target and not heard of: a list of accounts, or null.
ALTER TABLE accounts ADD COLUMN sent text;
