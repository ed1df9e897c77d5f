-- Access reviews: campaigns, their items and who is asked; roles that reviewers took away;
-- people who moved. Documents are what the program knows; columns are what is asked for.
CREATE TABLE reviews (
  id         text PRIMARY KEY,
  state      text NOT NULL,
  schedule   text NOT NULL,            -- campaign of the configuration; empty: none
  slot       text NOT NULL,            -- keeps replicas from starting the same twice
  created_at bigint NOT NULL,
  next_at    bigint,                  -- when there is something to do
  version    bigint NOT NULL,
  doc        text NOT NULL
);
CREATE UNIQUE INDEX reviews_slot ON reviews (slot) WHERE slot <> '';
CREATE INDEX reviews_next ON reviews (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX reviews_state ON reviews (state, id);
CREATE INDEX reviews_schedule ON reviews (schedule, id) WHERE schedule <> '';

CREATE TABLE review_items (
  id          text PRIMARY KEY,
  review_id   text NOT NULL REFERENCES reviews (id) ON DELETE CASCADE,
  identity_id text NOT NULL,           -- empty: an account that is nobody's
  role        text NOT NULL,
  target      text NOT NULL,
  group_name  text NOT NULL,
  state       text NOT NULL,
  stage       integer NOT NULL,
  live        boolean NOT NULL,        -- an evaluation of the person may change it
  risk        text NOT NULL,
  recommend   text NOT NULL,
  check_at    bigint,                 -- when it is looked at whether it is carried out
  version     bigint NOT NULL,
  doc         text NOT NULL
);
CREATE UNIQUE INDEX review_items_what ON review_items (review_id, identity_id, role, target, group_name);
CREATE INDEX review_items_page ON review_items (review_id, id);
CREATE INDEX review_items_state ON review_items (review_id, state, id);
CREATE INDEX review_items_role ON review_items (review_id, role, id);
CREATE INDEX review_items_risk ON review_items (review_id, risk, id) WHERE risk <> '';
CREATE INDEX review_items_recommend ON review_items (review_id, recommend, id) WHERE recommend <> '';
CREATE INDEX review_items_identity ON review_items (identity_id, id) WHERE identity_id <> '';
CREATE INDEX review_items_check ON review_items (check_at) WHERE check_at IS NOT NULL;

-- Who can decide an item now: an identity, or role:NAME for whoever holds the role.
CREATE TABLE review_asked (
  asked     text NOT NULL,
  review_id text NOT NULL,
  item_id   text NOT NULL REFERENCES review_items (id) ON DELETE CASCADE,
  PRIMARY KEY (asked, review_id, item_id)
);
CREATE INDEX review_asked_item ON review_asked (item_id);

-- Which items a reviewer has had before them.
CREATE TABLE review_seen (
  item_id text NOT NULL REFERENCES review_items (id) ON DELETE CASCADE,
  who     text NOT NULL,
  PRIMARY KEY (item_id, who)
);

-- Items by state, and by who is asked, kept as they change.
CREATE TABLE review_counts (
  review_id text NOT NULL REFERENCES reviews (id) ON DELETE CASCADE,
  kind      text NOT NULL,             -- state, asked
  who       text NOT NULL,
  n         bigint NOT NULL,
  PRIMARY KEY (review_id, kind, who)
);

-- How each reviewer decides; the row without a name is how revocations are carried out.
CREATE TABLE review_pace (
  review_id text NOT NULL REFERENCES reviews (id) ON DELETE CASCADE,
  who       text NOT NULL,
  doc       text NOT NULL,
  PRIMARY KEY (review_id, who)
);

-- Roles, and entitlements that no role gives, that a reviewer took away from somebody.
CREATE TABLE exclusions (
  id          text PRIMARY KEY,
  identity_id text NOT NULL,
  ended_at    bigint,
  doc         text NOT NULL
);
CREATE INDEX exclusions_identity ON exclusions (identity_id, id);
CREATE INDEX exclusions_open ON exclusions (id) WHERE ended_at IS NULL;

-- When somebody had another manager or department last, and whether a review of it is due.
CREATE TABLE review_moves (
  identity_id text PRIMARY KEY,
  at          bigint NOT NULL,
  how         text NOT NULL,
  due         boolean NOT NULL
);
CREATE INDEX review_moves_due ON review_moves (at) WHERE due;

DROP INDEX grants_role;
CREATE INDEX grants_role ON grants (role, identity_id) WHERE ended_at IS NULL;
