-- Tables whose rows are written several times soon after they were made: what is left
-- behind is cleared away before it is a fifth of a table of millions, which is when the
-- server would begin by itself.
ALTER TABLE accounts SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE identities SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE marks SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
