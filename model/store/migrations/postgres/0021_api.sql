-- Idempotency keys, api tokens
SELECT 1;
