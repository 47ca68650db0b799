-- One row a saga; finished ones stay.
CREATE TABLE IF NOT EXISTS saga_instance (
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
-- The engine's question: who is due?
CREATE INDEX IF NOT EXISTS saga_instance_due ON saga_instance (wake_at) WHERE wake_at IS NOT NULL;
-- The question at start: which definitions are in use?
CREATE INDEX IF NOT EXISTS saga_instance_live ON saga_instance (name, definition, node, node_name)
    WHERE phase IN ('running', 'undoing', 'closing');

-- What operators did, and why.
CREATE TABLE IF NOT EXISTS saga_audit (
    at     INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    action TEXT    NOT NULL,
    reason TEXT    NOT NULL
);

-- AUTOINCREMENT: a number is never given twice, and since there is one writer, numbers are in commit order:
-- a reader that has seen n has seen everything below n.
CREATE TABLE IF NOT EXISTS outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    topic    TEXT NOT NULL,
    key      TEXT NOT NULL,
    envelope TEXT NOT NULL
);
-- Up to here the consumer is done, but for what outbox_delivery lists.
CREATE TABLE IF NOT EXISTS outbox_position (
    consumer TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL
) WITHOUT ROWID;
-- Messages that failed, wait behind one that failed, or are dead.
CREATE TABLE IF NOT EXISTS outbox_delivery (
    consumer TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    key      TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('waiting', 'dead', 'replay')),
    failures INTEGER NOT NULL,
    retry_at INTEGER NOT NULL,
    error    TEXT,
    PRIMARY KEY (consumer, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outbox_delivery_replay ON outbox_delivery (consumer, key) WHERE state = 'replay';

CREATE TABLE IF NOT EXISTS inbox (
    consumer TEXT NOT NULL,
    id       TEXT NOT NULL,
    PRIMARY KEY (consumer, id)
) WITHOUT ROWID;
