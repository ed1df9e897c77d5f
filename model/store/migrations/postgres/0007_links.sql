-- Who belongs together: cases for a person to decide, and what was decided to be apart.
ALTER TABLE identities ADD COLUMN merged_into text NOT NULL DEFAULT '';
