-- What the roles of a hub on PostgreSQL may do. `scimhub migrate --runtime-role … --auditor-role …`
-- runs this, as the role that owns the tables, after each migration. {schema}, {runtime} and
-- {auditor} are names, quoted already; what stands between `-- runtime` or `-- auditor` and the
-- next such line is left out where there is no such role.
-- runtime
GRANT USAGE ON SCHEMA {schema} TO {runtime};
REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {runtime};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {runtime};
-- Which schema there is, is the owner's business.
REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM {runtime};
-- The audit trail grows. Of an entry only what is personal can be taken away (erasure), which
-- the verification holds against the entry that says why; the rest stands as it is.
REVOKE UPDATE, DELETE ON audit, audit_checkpoints FROM {runtime};
GRANT UPDATE (form, data, salt, data_hash) ON audit TO {runtime};
REVOKE DELETE ON audit_heads FROM {runtime};
-- Old entries go by a function of the owner's, which leaves the last 30 days alone.
CREATE OR REPLACE FUNCTION scimhub_forget_audit(of_lane integer, up_to bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE gone bigint;
BEGIN
  IF EXISTS (SELECT 1 FROM audit WHERE lane = of_lane AND seq <= up_to AND at > extract(epoch FROM clock_timestamp() - interval '30 days') * 1000000) THEN
    RAISE EXCEPTION 'entries of the audit trail that are younger than 30 days stay' USING ERRCODE = 'insufficient_privilege';
  END IF;
  DELETE FROM audit WHERE lane = of_lane AND seq <= up_to;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;
REVOKE ALL ON FUNCTION scimhub_forget_audit(integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION scimhub_forget_audit(integer, bigint) TO {runtime};
-- A version of the configuration is never changed.
REVOKE UPDATE, DELETE ON config_versions FROM {runtime};
-- auditor
GRANT USAGE ON SCHEMA {schema} TO {auditor};
REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {auditor};
-- Named one by one: what comes with a later release stays closed until somebody looked at it.
-- Not among them: keys of the hub, hashes of tokens, links and passwords, sessions, answers
-- kept for a day, and attributes as sources sent them, some of which nobody is to be shown.
GRANT SELECT ON schema_migrations, config_rolled_back,
  audit, audit_heads, audit_checkpoints, events,
  identities, identity_history, grants, exceptions, exclusions, deputies, findings, cases, apart, marks,
  linked_resources, linked_accounts, linked_asked,
  targets, accounts, account_history, account_references, removals, releases, sweeps,
  target_groups, target_group_origins, group_marks, target_progress, target_hours,
  drift_found, drift_progress, drift_members, drift_deleted,
  requests, request_asked, tasks, leaver_runs, leaver_targets,
  reviews, review_items, review_asked, review_seen, review_counts, review_pace, review_moves,
  source_state, source_deviations, imports, rates, notices, receivers TO {auditor};
-- The text of a version may hold addresses of webhooks, some of which are secret.
GRANT SELECT (version, digest, by_whom, at) ON config_versions TO {auditor};
GRANT SELECT (id, source, name, role, scope, targets, person, created_at, created_by, issued_at, expires_at, previous_until, revoked_at, last_used) ON tokens TO {auditor};
GRANT SELECT (id, kind, name, role, person, issuer, address, created_at, seen_at, expires_at, ended_at, ended_by, ended_why) ON sessions TO {auditor};
