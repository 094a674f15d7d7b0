-- What is rare was looked for row by row through the whole log: recordings among sentences, what
-- is degraded, and what a version on trial answered.
CREATE INDEX emotion_logs_modality ON emotion_logs (modality, created_at DESC);
CREATE INDEX emotion_logs_degraded ON emotion_logs (created_at DESC) WHERE degraded IS NOT NULL;
CREATE INDEX emotion_logs_track ON emotion_logs (track, created_at DESC) WHERE track <> 'current';
