-- A long recording is a row (modality `timeline`), and each of its segments one that names it.
ALTER TABLE emotion_logs
    ADD COLUMN recording_id uuid,
    ADD COLUMN start_s double precision,
    ADD COLUMN end_s double precision,
    ADD COLUMN speaker text;
CREATE INDEX emotion_logs_recording ON emotion_logs (recording_id, start_s)
    WHERE recording_id IS NOT NULL;
COMMENT ON COLUMN emotion_logs.recording_id IS
    'of a segment: the id of its recording''s row, which is written last';
COMMENT ON COLUMN emotion_logs.start_s IS
    'where the segment begins in the recording, after alignment; of the recording itself: 0';
COMMENT ON COLUMN emotion_logs.speaker IS
    'as the transcript names them; only with NEUROSENSE_STORE_INPUT_TEXT=true';
