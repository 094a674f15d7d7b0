-- While a candidate is on trial, a row says whose it is. A shadow's row is about what another row
-- is about, and goes with it.
ALTER TABLE emotion_logs
    ADD COLUMN track text NOT NULL DEFAULT 'current',
    ADD COLUMN shadow_of uuid;
CREATE INDEX emotion_logs_shadow_of ON emotion_logs (shadow_of) WHERE shadow_of IS NOT NULL;
COMMENT ON COLUMN emotion_logs.track IS
    'current: by the version that was served; canary: by the candidate; shadow: by the candidate, '
    'and nobody was given it';
COMMENT ON COLUMN emotion_logs.shadow_of IS
    'of a shadow''s row: the id of the prediction that was given';

CREATE OR REPLACE FUNCTION neurosense_forget(prediction uuid) RETURNS bigint LANGUAGE sql
SECURITY DEFINER AS $$
    WITH gone AS (
        DELETE FROM emotion_logs WHERE id = prediction OR shadow_of = prediction RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION neurosense_forget(uuid) SET search_path = %I, pg_temp',
                   current_schema());
END $$;
