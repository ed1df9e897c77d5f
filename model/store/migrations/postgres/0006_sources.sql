-- What a source sends that only its dialect lets pass, for whoever set the source up.
CREATE TABLE source_deviations (
  source    text NOT NULL,
  deviation text NOT NULL,
  n         bigint NOT NULL,
  last_at   bigint NOT NULL,
  PRIMARY KEY (source, deviation)
);

-- By which definition of a resource type its resources are indexed.
CREATE TABLE indexed_types (
  kind   text PRIMARY KEY,
  digest text NOT NULL
);
