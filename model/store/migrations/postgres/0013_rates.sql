-- Shared pace of targets.
-- One row for each limit on requests, shared by all replicas and kept over restarts: the
-- moment up to which requests have been given out, as if they went evenly (the theoretical
-- arrival time of GCRA), and the wait that the application asked for.
CREATE TABLE rates (
  name         text PRIMARY KEY,            -- of the target or its host, and the kinds of request
  arrival      bigint  NOT NULL DEFAULT 0,
  paused_from  bigint  NOT NULL DEFAULT 0,
  paused_until bigint  NOT NULL DEFAULT 0
);
