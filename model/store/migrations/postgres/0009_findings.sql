-- Exceptions to conflicts, findings, managers and numbers.
SELECT 1;
