-- A release holds for one account and the decision about it that it was made for.
-- Releases from before name neither and are over.
ALTER TABLE releases ADD COLUMN identity_id text NOT NULL DEFAULT '';
ALTER TABLE releases ADD COLUMN generation integer NOT NULL DEFAULT 0;
