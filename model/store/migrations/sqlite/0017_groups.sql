-- Groups at targets, from roles and mirrored.
-- A row is a group as it is wanted and as it is at the target. Accounts name it by
-- name; applied is what it is called at the target until it is renamed there.
ALTER TABLE target_groups ADD COLUMN fold text NOT NULL DEFAULT '';        -- name, folded: names that differ by case are one group
ALTER TABLE target_groups ADD COLUMN applied text NOT NULL DEFAULT '';     -- its name at the target; empty: none is known there
ALTER TABLE target_groups ADD COLUMN former text NOT NULL DEFAULT '[]';    -- names by which accounts may still know it, JSON list
ALTER TABLE target_groups ADD COLUMN wanted integer NOT NULL DEFAULT 0;    -- something grants it
ALTER TABLE target_groups ADD COLUMN due integer NOT NULL DEFAULT 0;
ALTER TABLE target_groups ADD COLUMN generation integer NOT NULL DEFAULT 1; -- raised with each change of what is wanted
ALTER TABLE target_groups ADD COLUMN error_class text NOT NULL DEFAULT '';
ALTER TABLE target_groups ADD COLUMN approved text NOT NULL DEFAULT '';    -- digest of the change that a person released
ALTER TABLE target_groups ADD COLUMN approved_by text NOT NULL DEFAULT '';
ALTER TABLE target_groups ADD COLUMN updated_at integer NOT NULL DEFAULT 0;
UPDATE target_groups SET fold = lower(name), applied = CASE WHEN remote_id <> '' THEN name ELSE '' END;
CREATE INDEX target_groups_fold ON target_groups (target, fold);
CREATE INDEX target_groups_due ON target_groups (target, next_at) WHERE due;

-- What grants a group: a role, or a source group that is mirrored.
CREATE TABLE target_group_origins (
  target text NOT NULL,
  kind   text NOT NULL,               -- role, mirror
  ref    text NOT NULL,               -- the role's name; the source group's id
  label  text NOT NULL,               -- the group's name as the role or the source writes it
  source text NOT NULL,               -- of a source group
  name   text NOT NULL,               -- of the row in target_groups
  PRIMARY KEY (target, kind, ref, label)
);
CREATE INDEX target_group_origins_name ON target_group_origins (target, name);
CREATE INDEX target_group_origins_ref ON target_group_origins (kind, ref);

-- Source groups that may have changed, as levels; '*' means all, and the roles.
CREATE TABLE group_marks (
  group_id   text PRIMARY KEY,
  generation integer NOT NULL,
  marked_at  integer NOT NULL
);
INSERT INTO group_marks (group_id, generation, marked_at) VALUES ('*', 1, 0);
