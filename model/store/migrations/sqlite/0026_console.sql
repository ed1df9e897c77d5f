-- What pages list, each in the order in which it is shown, so that a page of the rare
-- among the many reads no more than itself.
DROP INDEX accounts_state;
CREATE INDEX accounts_state ON accounts (target, state, identity_id);
DROP INDEX accounts_errors;
CREATE INDEX accounts_errors ON accounts (target, error_class, identity_id) WHERE error_class <> '';
CREATE INDEX target_groups_state ON target_groups (target, state, name);
CREATE INDEX tasks_page ON tasks (due_at, id);
CREATE INDEX tasks_assignee ON tasks (assignee, due_at, id) WHERE done_at IS NULL;
CREATE INDEX requests_role ON requests (role, id);
CREATE INDEX leaver_runs_page ON leaver_runs (received_at, id) WHERE ended_at IS NULL;
CREATE INDEX cases_page ON cases (id) WHERE decided_at IS NULL;
-- Who became somebody, from that one's id on.
CREATE INDEX identities_merged_id ON identities (merged_into) WHERE merged_into <> '';
