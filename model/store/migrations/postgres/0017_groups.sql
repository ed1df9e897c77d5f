-- Groups at targets, from roles and mirrored.
-- A row is a group as it is wanted and as it is at the target. Accounts name it by
-- name; applied is what it is called at the target until it is renamed there.
ALTER TABLE target_groups ADD COLUMN fold text COLLATE "C" NOT NULL DEFAULT '';        -- name, folded: names that differ by case are one group
ALTER TABLE target_groups ADD COLUMN applied text COLLATE "C" NOT NULL DEFAULT '';     -- its name at the target; empty: none is known there
ALTER TABLE target_groups ADD COLUMN former text COLLATE "C" NOT NULL DEFAULT '[]';    -- names by which accounts may still know it, JSON list
ALTER TABLE target_groups ADD COLUMN wanted boolean NOT NULL DEFAULT FALSE;    -- something grants it
ALTER TABLE target_groups ADD COLUMN due boolean NOT NULL DEFAULT FALSE;
ALTER TABLE target_groups ADD COLUMN generation bigint NOT NULL DEFAULT 1; -- raised with each change of what is wanted
ALTER TABLE target_groups ADD COLUMN error_class text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE target_groups ADD COLUMN approved text COLLATE "C" NOT NULL DEFAULT '';    -- digest of the change that a person released
ALTER TABLE target_groups ADD COLUMN approved_by text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE target_groups ADD COLUMN updated_at bigint NOT NULL DEFAULT 0;
UPDATE target_groups SET fold = lower(name), applied = CASE WHEN remote_id <> '' THEN name ELSE '' END;
CREATE INDEX target_groups_fold ON target_groups (target, fold);
CREATE INDEX target_groups_due ON target_groups (target, next_at) WHERE due;

-- What grants a group: a role, or a source group that is mirrored.
CREATE TABLE target_group_origins (
  target text COLLATE "C" NOT NULL,
  kind   text COLLATE "C" NOT NULL,               -- role, mirror
  ref    text COLLATE "C" NOT NULL,               -- the role's name; the source group's id
  label  text COLLATE "C" NOT NULL,               -- the group's name as the role or the source writes it
  source text COLLATE "C" NOT NULL,               -- of a source group
  name   text COLLATE "C" NOT NULL,               -- of the row in target_groups
  PRIMARY KEY (target, kind, ref, label)
);
CREATE INDEX target_group_origins_name ON target_group_origins (target, name);
CREATE INDEX target_group_origins_ref ON target_group_origins (kind, ref);

-- Source groups that may have changed, as levels; '*' means all, and the roles.
CREATE TABLE group_marks (
  group_id   text COLLATE "C" PRIMARY KEY,
  generation bigint NOT NULL,
  marked_at  bigint NOT NULL
);
INSERT INTO group_marks (group_id, generation, marked_at) VALUES ('*', 1, 0);
