CREATE TABLE emotion_logs (
    id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    modality text NOT NULL,
    top_emotion text NOT NULL,
    confidence double precision NOT NULL,
    all_scores jsonb NOT NULL,
    latency_ms double precision NOT NULL,
    fusion_weights jsonb NOT NULL,
    degraded jsonb,
    models jsonb NOT NULL,
    input_text text
);
CREATE INDEX emotion_logs_created_at ON emotion_logs (created_at);
COMMENT ON COLUMN emotion_logs.latency_ms IS
    'as in the answer: from the request''s headers to the prediction, before this insert';
COMMENT ON COLUMN emotion_logs.input_text IS
    'only with NEUROSENSE_STORE_INPUT_TEXT=true; NUL, which text cannot hold, as U+2400';
