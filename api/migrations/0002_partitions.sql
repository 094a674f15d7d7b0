-- The log by month: an expired month is dropped as a whole, and indexes stay small.
--
-- What needs more than INSERT and SELECT is a function that runs as its owner, so that the role
-- of the service can do these three things and nothing else (deploy/service_role.sql).

ALTER TABLE emotion_logs RENAME TO emotion_logs_unpartitioned;
ALTER INDEX emotion_logs_pkey RENAME TO emotion_logs_unpartitioned_pkey;
DROP INDEX emotion_logs_created_at;

CREATE TABLE emotion_logs (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    modality text NOT NULL,
    top_emotion text NOT NULL,
    confidence double precision NOT NULL,
    all_scores jsonb NOT NULL,
    latency_ms double precision NOT NULL,
    fusion_weights jsonb NOT NULL,
    degraded jsonb,
    models jsonb NOT NULL,
    input_text text,
    request_id text,
    PRIMARY KEY (id, created_at)  -- a partitioned table's key holds what it is partitioned by
) PARTITION BY RANGE (created_at);
CREATE INDEX emotion_logs_page ON emotion_logs (created_at DESC, id DESC);
CREATE INDEX emotion_logs_emotion ON emotion_logs (top_emotion, created_at DESC);
COMMENT ON COLUMN emotion_logs.created_at IS
    'when the service had the answer, by its clock; a row that waited in a spool keeps it';
COMMENT ON COLUMN emotion_logs.latency_ms IS
    'as in the answer: from the request''s headers to the prediction, before this insert';
COMMENT ON COLUMN emotion_logs.input_text IS
    'only with NEUROSENSE_STORE_INPUT_TEXT=true; NUL, which text cannot hold, as U+2400';

-- No insert may fail for want of a month (a clock that is off, upkeep that came late).
CREATE TABLE emotion_logs_rest PARTITION OF emotion_logs DEFAULT;

-- Nobody but the owner reads a row without a policy that says so; a partition has none at all.
ALTER TABLE emotion_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE emotion_logs_rest ENABLE ROW LEVEL SECURITY;

-- Make the partition of the month that starts at `month`, with the rows that wait in the rest.
CREATE FUNCTION neurosense_add_month(month timestamp) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'emotion_logs_' || to_char(month, 'YYYY_MM');
    first timestamptz := month AT TIME ZONE 'UTC';
    past timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE emotion_logs INCLUDING DEFAULTS)', partition);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format(
        'WITH moved AS (DELETE FROM emotion_logs_rest WHERE created_at >= %L AND created_at < %L '
        'RETURNING *) INSERT INTO %I SELECT * FROM moved', first, past, partition);
    EXECUTE format(
        'ALTER TABLE emotion_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, first, past);
END $$;

-- Make this and the next two months; drop the months that ended over `keep_months` months ago
-- (0 keeps all). Several services may call it at once.
CREATE FUNCTION neurosense_upkeep(keep_months int) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER AS $$
DECLARE
    this_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    oldest timestamp := this_month - make_interval(months => keep_months);
    partition text;
BEGIN
    PERFORM pg_advisory_xact_lock(1314210131);
    FOR ahead IN 0..2 LOOP
        PERFORM neurosense_add_month(this_month + make_interval(months => ahead));
    END LOOP;
    IF keep_months <= 0 THEN
        RETURN;
    END IF;
    FOR partition IN
        SELECT inhrelid::regclass::text FROM pg_inherits
        WHERE inhparent = 'emotion_logs'::regclass
          AND inhrelid::regclass::text ~ 'emotion_logs_\d{4}_\d{2}$'
          AND to_date(right(inhrelid::regclass::text, 7), 'YYYY_MM') < oldest
    LOOP
        EXECUTE 'DROP TABLE ' || partition;
    END LOOP;
    DELETE FROM emotion_logs_rest WHERE created_at < oldest AT TIME ZONE 'UTC';
END $$;

-- Delete a prediction; how many rows that were.
CREATE FUNCTION neurosense_forget(prediction uuid) RETURNS bigint LANGUAGE sql
SECURITY DEFINER AS $$
    WITH gone AS (DELETE FROM emotion_logs WHERE id = prediction RETURNING 1)
    SELECT count(*) FROM gone
$$;

-- Which migrations ran.
CREATE FUNCTION neurosense_migrated() RETURNS SETOF text LANGUAGE sql STABLE
SECURITY DEFINER AS $$ SELECT name FROM neurosense_migrations $$;

-- A function with its owner's rights looks nowhere but in the schema of the log.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['neurosense_add_month(timestamp)', 'neurosense_upkeep(int)',
                                'neurosense_forget(uuid)', 'neurosense_migrated()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END $$;

INSERT INTO emotion_logs SELECT *, NULL FROM emotion_logs_unpartitioned;
DROP TABLE emotion_logs_unpartitioned;
SELECT neurosense_add_month(month)
FROM (SELECT DISTINCT date_trunc('month', created_at AT TIME ZONE 'UTC') AS month
      FROM emotion_logs) AS months;
