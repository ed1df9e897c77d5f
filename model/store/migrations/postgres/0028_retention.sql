SELECT 1;

-- How far the audit trail has been verified in the background, and what was found there.
CREATE TABLE audit_watch (
  id           integer PRIMARY KEY,       -- 1: there is one row
  leased_until bigint NOT NULL,           -- by the replica that verifies at the moment
  state        text NOT NULL              -- JSON: of the pass under way, and of the last one
);
INSERT INTO audit_watch (id, leased_until, state) VALUES (1, 0, '{}');
