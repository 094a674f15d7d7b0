-- Forgotten is forgotten: what still waits in a spool somewhere, or is on its way, is not added
-- afterwards. With a recording go its segments, and with each of them what a shadow said of it.
CREATE TABLE neurosense_forgotten (
    id uuid PRIMARY KEY,
    forgotten_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE neurosense_forgotten ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION neurosense_skip_forgotten() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (SELECT FROM neurosense_forgotten
               WHERE id IN (NEW.id, NEW.recording_id, NEW.shadow_of)) THEN
        -- A segment that comes late may have a shadow that comes later.
        INSERT INTO neurosense_forgotten VALUES (NEW.id) ON CONFLICT DO NOTHING;
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER neurosense_skip_forgotten BEFORE INSERT ON emotion_logs
    FOR EACH ROW EXECUTE FUNCTION neurosense_skip_forgotten();

CREATE OR REPLACE FUNCTION neurosense_forget(prediction uuid) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER AS $$
DECLARE
    wanted uuid[];
    gone uuid[];
BEGIN
    -- Rows that are being moved to their month, or inserted, are there first, so none is missed.
    PERFORM pg_advisory_xact_lock(1314210131);
    LOCK TABLE ONLY emotion_logs IN SHARE ROW EXCLUSIVE MODE;
    SELECT prediction || array_agg(id) INTO wanted FROM emotion_logs
    WHERE recording_id = prediction;
    WITH deleted AS (
        DELETE FROM emotion_logs WHERE id = ANY (wanted) OR shadow_of = ANY (wanted) RETURNING id
    )
    SELECT array_agg(id) INTO gone FROM deleted;
    INSERT INTO neurosense_forgotten SELECT unnest(wanted || gone) ON CONFLICT DO NOTHING;
    -- Nothing waits in a spool for so long.
    DELETE FROM neurosense_forgotten WHERE forgotten_at < now() - interval '1 year';
    RETURN coalesce(array_length(gone, 1), 0);
END $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['neurosense_forget(uuid)', 'neurosense_skip_forgotten()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END $$;
-- Rows wait behind it: where it must wait for long itself, whoever asked asks again.
ALTER FUNCTION neurosense_forget(uuid) SET lock_timeout = '300ms';
