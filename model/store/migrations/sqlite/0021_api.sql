-- Requests to the API that carry an idempotency key: begun first, answered later, so
-- that no replica carries one out twice. written says that a transaction of the attempt
-- was committed.
CREATE TABLE idempotency (
    caller  blob NOT NULL,     -- hash of who asked
    key     text NOT NULL,
    print   blob NOT NULL,     -- hash of what was asked
    attempt integer NOT NULL,  -- raised when somebody takes an attempt over that was given up
    at      integer NOT NULL,  -- when it began, microseconds
    written boolean NOT NULL DEFAULT FALSE,
    status  integer NOT NULL DEFAULT 0, -- of the answer, 0 where there is none yet
    kind    text NOT NULL DEFAULT '',   -- media type of the answer
    body    blob,              -- NULL where it was not kept
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_at ON idempotency (at);
