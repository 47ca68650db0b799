-- The check compares one word after another: of a list of three and more SQLite makes a table of its own each time that a
-- row is written.
CREATE TABLE checked_notifications (
    id         TEXT    PRIMARY KEY,
    booking_id TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    status     TEXT    NOT NULL CHECK (status = 'PENDING' OR status = 'SENT' OR status = 'FAILED'),
    created_at INTEGER NOT NULL,
    -- When the mail server accepted it, whom it went to and under which subject.
    sent_at    INTEGER,
    recipient  TEXT,
    subject    TEXT,
    failure    TEXT,
    UNIQUE (booking_id, kind)
) STRICT, WITHOUT ROWID;

INSERT INTO checked_notifications
    (id, booking_id, kind, user_id, status, created_at, sent_at, recipient, subject, failure)
SELECT id, booking_id, kind, user_id, status, created_at, sent_at, recipient, subject, failure
FROM notifications ORDER BY id;

DROP TABLE notifications;
ALTER TABLE checked_notifications RENAME TO notifications;
CREATE INDEX notifications_of_user ON notifications (user_id, id);
