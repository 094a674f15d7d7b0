-- A role for the service that can add and read predictions and do nothing else in the database.
--
--   DATABASE_URL=postgresql://owner:…@host/name .venv/bin/python -m api.migrations
--   psql postgresql://owner:…@host/name -v role=neurosense_service -v password=… -f deploy/service_role.sql
--
-- Then start the service with DATABASE_URL=postgresql://neurosense_service:…@host/name. Before
-- a new version of the service run the first command again, and this file after it: both may be
-- run as often as you like. Row level security is on (the migrations see to it): a role without
-- a policy, such as Supabase's `anon`, sees no row.
\set ON_ERROR_STOP on
BEGIN;
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" PASSWORD :'password';

SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), :'role') \gexec
GRANT SELECT, INSERT ON emotion_logs TO :"role";
DROP POLICY IF EXISTS neurosense_adds ON emotion_logs;
CREATE POLICY neurosense_adds ON emotion_logs FOR INSERT TO :"role" WITH CHECK (true);
DROP POLICY IF EXISTS neurosense_reads ON emotion_logs;
CREATE POLICY neurosense_reads ON emotion_logs FOR SELECT TO :"role" USING (true);
GRANT EXECUTE ON FUNCTION neurosense_add(jsonb) TO :"role";

-- What needs more runs as the owner: partitions by month, DELETE /predictions/{id}, and the trigger
-- that keeps what was forgotten from being added again.
GRANT EXECUTE ON FUNCTION neurosense_upkeep(int), neurosense_forget(uuid), neurosense_migrated()
    TO :"role";
COMMIT;
