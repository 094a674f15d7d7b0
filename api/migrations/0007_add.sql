-- Adds rows, a JSON array of objects by column; those that are there already stay as they are.
--
-- A function only because its plan is kept: not every pooler lets statements be prepared, and to
-- plan this one took as long as to run it. It has no rights but its caller's.
CREATE FUNCTION neurosense_add(rows jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO emotion_logs (id, created_at, modality, top_emotion, confidence, all_scores,
                              latency_ms, fusion_weights, degraded, models, input_text, request_id,
                              recording_id, start_s, end_s, speaker, track, shadow_of)
    SELECT id, created_at, modality, top_emotion, confidence, all_scores,
           latency_ms, fusion_weights, NULLIF(degraded, 'null'), models, input_text, request_id,
           recording_id, start_s, end_s, speaker,
           COALESCE(track, 'current'), shadow_of  -- older rows, in a spool, have none
    FROM jsonb_to_recordset(rows) AS row (
        id uuid, created_at timestamptz, modality text, top_emotion text,
        confidence double precision, all_scores jsonb, latency_ms double precision,
        fusion_weights jsonb, degraded jsonb, models jsonb, input_text text, request_id text,
        recording_id uuid, start_s double precision, end_s double precision, speaker text,
        track text, shadow_of uuid)
    ON CONFLICT DO NOTHING;
END $$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION neurosense_add(jsonb) SET search_path = %I, pg_temp',
                   current_schema());
END $$;
