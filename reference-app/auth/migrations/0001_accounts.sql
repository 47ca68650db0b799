-- `email` as its owner wrote it, `email_key` as it is compared.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('USER', 'ORGANIZER', 'ADMIN')),
    password_hash TEXT,
    created_at INTEGER NOT NULL
) STRICT;

-- One row a login: the refresh tokens that follow from it end together.
CREATE TABLE refresh_families (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    expires_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX refresh_families_by_user ON refresh_families (user_id, expires_at);

-- Only the digest of a token is kept: whoever reads this file cannot use it.
CREATE TABLE refresh_tokens (
    digest BLOB NOT NULL PRIMARY KEY,
    family_id TEXT NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    spent_at INTEGER
) STRICT;
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family_id, expires_at);

-- The one key that signs access tokens.
CREATE TABLE signing_key (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seed BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
