-- What waits carries the trace of what caused it (W3C traceparent and the request's id),
-- so that whoever works on it goes on with the trace. Empty: nothing was traced.
ALTER TABLE marks ADD COLUMN IF NOT EXISTS trace text NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN IF NOT EXISTS trace text NOT NULL DEFAULT '';
