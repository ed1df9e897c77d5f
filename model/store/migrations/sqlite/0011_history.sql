-- What was true when: the history of merged records; the audit trail's checkpoints and erasures.
SELECT 1;
