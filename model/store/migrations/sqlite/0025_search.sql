-- People by words, who ever held a role or had an account, and what was done when.

-- What people are found by: folded, without accents. Rows change in the transaction
-- that changes the person.
CREATE TABLE search_words (
  identity_id text NOT NULL,
  rank        integer NOT NULL,          -- 0: a whole value; 1: a word in one; 2: the department
  word        text NOT NULL,
  PRIMARY KEY (identity_id, rank, word)
);
CREATE INDEX search_words_find ON search_words (rank, word, identity_id);

-- Of what the words of a person were made; empty: they are not there yet.
ALTER TABLE identities ADD COLUMN search_hash text NOT NULL DEFAULT '';
CREATE INDEX identities_unsearched ON identities (id) WHERE search_hash = '' AND erased_at IS NULL;
CREATE INDEX identities_stage ON identities (stage, key, id);
CREATE INDEX identities_held ON identities (left_source, left_at, id) WHERE over_guard;

-- Who held a role once.
CREATE INDEX grants_ended ON grants (role, identity_id) WHERE ended_at IS NOT NULL;

CREATE INDEX account_history_target ON account_history (target, identity_id, at);
CREATE INDEX accounts_errors ON accounts (target, error_class) WHERE error_class <> '';

-- Changes carried out at a target, and attempts in vain, by hour.
CREATE TABLE target_hours (
  target text NOT NULL,
  hour   integer NOT NULL,               -- its beginning
  done   integer NOT NULL,
  failed integer NOT NULL,
  PRIMARY KEY (target, hour)
);
