-- Three roles for a hub on PostgreSQL. Run this once, as a superuser, connected to the hub's
-- own database:
--
--   psql -v ON_ERROR_STOP=1 -f roles.sql scimhub
--
-- then give each role its way in (\password ROLE, or certificates in pg_hba.conf), and let the
-- owner make the tables and hand out rights. Again before each new release:
--
--   scimhub migrate --database '${env:OWNER_DATABASE}' --runtime-role scimhub --auditor-role scimhub_auditor
--
--   role             used by                       may
--   ----------------------------------------------------------------------------------------
--   scimhub_owner    scimhub migrate, restore      everything with the hub's tables
--   scimhub          scimhub serve                 read and write rows; change no table, no
--                                                  audit entry but to erase a person, remove
--                                                  none that is younger than 30 days
--   scimhub_auditor  people with psql              read what is no secret
--
-- What the roles may do in detail stands in model/store/roles.sql.

DO $$
DECLARE one text;
BEGIN
  FOREACH one IN ARRAY ARRAY['scimhub_owner', 'scimhub', 'scimhub_auditor'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = one) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', one);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), one);
  END LOOP;
  -- Nobody else comes in, and nobody makes tables beside the owner's, temporary ones included.
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END $$;

ALTER SCHEMA public OWNER TO scimhub_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- A hub that ran with another role until now: its tables change hands.
DO $$
DECLARE one text;
BEGIN
  FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('ALTER TABLE public.%I OWNER TO scimhub_owner', one);
  END LOOP;
END $$;

ALTER ROLE scimhub_auditor SET default_transaction_read_only = on;
ALTER ROLE scimhub_auditor SET statement_timeout = '1min'; -- a long look would hold back vacuum
