PRAGMA user_version = 0;
BEGIN;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('USER', 'ORGANIZER', 'ADMIN')),
    password_hash TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE refresh_families (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    expires_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE TABLE refresh_tokens (
    digest BLOB NOT NULL PRIMARY KEY,
    family_id TEXT NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    spent_at INTEGER
) STRICT;
CREATE TABLE signing_key (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seed BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE saga_instance (
    name       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    definition INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    phase      TEXT    NOT NULL CHECK (phase IN ('running', 'undoing', 'closing', 'completed', 'failed')),
    node       INTEGER NOT NULL,
    node_name  TEXT    NOT NULL,
    doubt      INTEGER NOT NULL,
    failures   INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    cancel     TEXT,
    failure    TEXT,
    undos      TEXT    NOT NULL,
    owed       TEXT    NOT NULL,
    parked     INTEGER NOT NULL,
    wake_at    INTEGER,
    error      TEXT,
    started_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, key)
) WITHOUT ROWID;
CREATE TABLE saga_audit (
    at     INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    action TEXT    NOT NULL,
    reason TEXT    NOT NULL
);
CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    topic    TEXT NOT NULL,
    key      TEXT NOT NULL,
    envelope TEXT NOT NULL
);
CREATE TABLE outbox_position (
    consumer TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE outbox_delivery (
    consumer TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    key      TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('waiting', 'dead', 'replay')),
    failures INTEGER NOT NULL,
    retry_at INTEGER NOT NULL,
    error    TEXT,
    PRIMARY KEY (consumer, seq)
) WITHOUT ROWID;
CREATE TABLE inbox (
    consumer TEXT NOT NULL,
    id       TEXT NOT NULL,
    PRIMARY KEY (consumer, id)
) WITHOUT ROWID;
INSERT INTO _sqlx_migrations VALUES (1, 'accounts', '2026-11-25 06:32:22', 1, X'E253838001B5939174DB0C3F9AE59C03BE942646E43CE386C2D146D5D68EB8E48EB5D1D5B1518B175AEC2A979FA2FFF5', 4361572);
INSERT INTO users VALUES ('01a21167-c4a6-76a9-8de8-b65e992ad08b', 'admin@ticketblitz.local', 'admin@ticketblitz.local', 'Administrator', 'ADMIN', '$argon2id$v=19$m=19456,t=2,p=1$taf5tHJ/xSA4GUtvr88t5A$gSem1YXDHglNMbdlIa3AZHcL8J/0HnnHFKWmqYRkAlI', 1795588342950628);
INSERT INTO users VALUES ('01a21167-c5eb-72d8-9eb1-bbb51295819e', 'ann-01a21167c5b877a28bf392ee7250aa2d@example.com', 'ann-01a21167c5b877a28bf392ee7250aa2d@example.com', 'Ann', 'USER', '$argon2id$v=19$m=19456,t=2,p=1$51Hy0+ofF00b3tEvYBJE6w$5RvuDApBM6H7VeVXcAdyRzCUBa/d0/H6nOKGzS9B6g4', 1795588343275216);
INSERT INTO users VALUES ('01a21167-c608-7074-abd5-6ed9efadc724', 'bob-01a21167c5ed72b6b10b12947841bef4@example.com', 'bob-01a21167c5ed72b6b10b12947841bef4@example.com', 'Bob', 'USER', '$argon2id$v=19$m=19456,t=2,p=1$dzlE7shtFU1a1f7UT5y+Lg$uQOHpMZj5hyWTC7txzVsddqPr+KsWRbMYXUk6Biq00A', 1795588343304552);
INSERT INTO refresh_families VALUES ('01a21167-c5eb-72d8-9eb1-bbb68b2ce9f7', '01a21167-c5eb-72d8-9eb1-bbb51295819e', 2110948343275294, NULL);
INSERT INTO refresh_families VALUES ('01a21167-c608-7074-abd5-6eda3622c673', '01a21167-c608-7074-abd5-6ed9efadc724', 2110948343304592, NULL);
INSERT INTO refresh_families VALUES ('01a21167-c62e-731e-bc40-b17cbd3eb5fc', '01a21167-c4a6-76a9-8de8-b65e992ad08b', 2110948343342469, NULL);
INSERT INTO refresh_tokens VALUES (X'FE53DBC4284C9349CC85174A5E17F654F6AB92ABFAA9AD7164147899B8A08239', '01a21167-c5eb-72d8-9eb1-bbb68b2ce9f7', 2110948343275294, NULL);
INSERT INTO refresh_tokens VALUES (X'0B884353BD13112576E6D9C2CBAB7C915BDEDDE614A803E84C762FB48C2D7EA7', '01a21167-c608-7074-abd5-6eda3622c673', 2110948343304592, NULL);
INSERT INTO refresh_tokens VALUES (X'C0BE9A6946D5E14A6E937E02BF0361BB65BF06835B47F97930332DAB11FB3105', '01a21167-c62e-731e-bc40-b17cbd3eb5fc', 2110948343342469, NULL);
INSERT INTO signing_key VALUES (1, X'81387B8C70371A29F681A9C18B0A618017DDFC6FDC22F1951BA0DB92EDD2A449', 1795588342882495);
CREATE INDEX refresh_families_by_user ON refresh_families (user_id, expires_at);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family_id, expires_at);
CREATE INDEX saga_instance_due ON saga_instance (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX saga_instance_live ON saga_instance (name, definition, node, node_name)
    WHERE phase IN ('running', 'undoing', 'closing');
CREATE INDEX outbox_delivery_replay ON outbox_delivery (consumer, key) WHERE state = 'replay';
DELETE FROM sqlite_sequence;
COMMIT;
