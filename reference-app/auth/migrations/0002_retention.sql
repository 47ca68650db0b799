-- For whoever forgets what has expired.
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
CREATE INDEX refresh_families_by_expiry ON refresh_families (expires_at);
