-- One notification a booking and kind: what keeps a message delivered twice from being two mails.
CREATE TABLE notifications (
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
) STRICT;

CREATE INDEX notifications_of_user ON notifications (user_id, id);
