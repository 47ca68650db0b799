-- The rows within their key's own B-tree: a page less for each that is written.
CREATE TABLE lean_notifications (
    id         TEXT    PRIMARY KEY,
    booking_id TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('PENDING', 'SENT', 'FAILED')),
    created_at INTEGER NOT NULL,
    -- When the mail server accepted it, whom it went to and under which subject.
    sent_at    INTEGER,
    recipient  TEXT,
    subject    TEXT,
    failure    TEXT,
    UNIQUE (booking_id, kind)
) STRICT, WITHOUT ROWID;

INSERT INTO lean_notifications
    (id, booking_id, kind, user_id, status, created_at, sent_at, recipient, subject, failure)
SELECT id, booking_id, kind, user_id, status, created_at, sent_at, recipient, subject, failure
FROM notifications ORDER BY id;

DROP TABLE notifications;
ALTER TABLE lean_notifications RENAME TO notifications;
CREATE INDEX notifications_of_user ON notifications (user_id, id);
