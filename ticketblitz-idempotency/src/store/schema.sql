CREATE TABLE IF NOT EXISTS idempotency_keys (
    -- The fence. AUTOINCREMENT: a number is never given twice, even after its row is gone.
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    scope        TEXT NOT NULL,
    key          TEXT NOT NULL,
    fingerprint  BLOB NOT NULL,
    leased_until INTEGER NOT NULL,
    kept_until   INTEGER NOT NULL,
    -- NULL until there is an answer.
    status       INTEGER,
    headers      BLOB,
    body         BLOB,
    UNIQUE (scope, key)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_kept_until ON idempotency_keys (kept_until);
