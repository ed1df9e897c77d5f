-- The proxy: tokens for one target have the source "target/NAME" and may do what is
-- named here, words joined by commas.
ALTER TABLE tokens ADD COLUMN may text NOT NULL DEFAULT '';
