-- Every B-tree that a move touches is a page more to be written with its commit. So sagas have one index for those in
-- progress instead of two, and the outbox is one B-tree: nobody looks a message up by its id or by its time, and numbers
-- are kept apart from those that were purged by the positions of the consumers (see `push`).
--
-- The checks and the condition compare one word after another: of a list of three and more SQLite makes a table of its
-- own each time that a row is written.
CREATE TABLE saga_instance_3 (
    name       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    definition INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    phase      TEXT    NOT NULL CHECK (phase = 'running' OR phase = 'undoing' OR phase = 'closing'
                                       OR phase = 'completed' OR phase = 'failed'),
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
INSERT INTO saga_instance_3 (name, key, definition, version, phase, node, node_name, doubt, failures, state, cancel,
                             failure, undos, owed, parked, wake_at, error, started_at, updated_at)
    SELECT name, key, definition, version, phase, node, node_name, doubt, failures, state, cancel,
           failure, undos, owed, parked, wake_at, error, started_at, updated_at
    FROM saga_instance ORDER BY name, key;
DROP TABLE saga_instance;
ALTER TABLE saga_instance_3 RENAME TO saga_instance;
-- The engine's questions: who is due, and at start, which definitions are in use? Its name is new too: a connection that
-- has seen the table as it was would take it for the old one.
CREATE INDEX saga_instance_in_progress ON saga_instance (wake_at) WHERE phase NOT IN ('completed', 'failed');
-- Retention's: who ended before?
CREATE INDEX saga_instance_ended ON saga_instance (updated_at) WHERE phase IN ('completed', 'failed');

-- In the order of their numbers, which is that of their commits, since there is one writer: a reader that has seen n has
-- seen everything below n.
CREATE TABLE outbox_3 (
    seq         INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL,
    topic       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    envelope    TEXT    NOT NULL,
    occurred_at INTEGER NOT NULL
);
INSERT INTO outbox_3 (seq, id, topic, key, envelope, occurred_at)
    SELECT seq, id, topic, key, envelope, occurred_at FROM outbox ORDER BY seq;
DROP TABLE outbox;
ALTER TABLE outbox_3 RENAME TO outbox;
