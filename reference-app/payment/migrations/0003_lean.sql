-- The rows within their key's own B-tree, a page less for each payment that is written. The check compares one word after
-- another: of a list of three and more SQLite makes a table of its own each time that a row is written.
CREATE TABLE lean_payments (
    id                 TEXT    PRIMARY KEY,
    booking_id         TEXT    NOT NULL UNIQUE,
    user_id            TEXT    NOT NULL,
    event_id           TEXT    NOT NULL,
    amount             INTEGER NOT NULL CHECK (amount >= 0),
    currency           TEXT    NOT NULL,
    method             TEXT    NOT NULL,
    -- No charge is sent after this moment.
    deadline           INTEGER NOT NULL,
    status             TEXT    NOT NULL CHECK (status = 'PENDING' OR status = 'UNKNOWN' OR status = 'SUCCEEDED'
                                               OR status = 'FAILED' OR status = 'REFUNDED'),
    -- When a charge was last sent to the provider. Written before it is sent, so that after a crash nobody
    -- takes a payment whose charge may have landed for one that was never tried.
    sent_at            INTEGER,
    provider_charge_id TEXT,
    voided             INTEGER NOT NULL DEFAULT 0 CHECK (voided IN (0, 1)),
    failure_reason     TEXT,
    created_at         INTEGER NOT NULL,
    sequence           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO lean_payments
    (id, booking_id, user_id, event_id, amount, currency, method, deadline, status, sent_at, provider_charge_id, voided,
     failure_reason, created_at, sequence)
SELECT id, booking_id, user_id, event_id, amount, currency, method, deadline, status, sent_at, provider_charge_id, voided,
       failure_reason, created_at, sequence
FROM payments ORDER BY id;

DROP TABLE payments;
ALTER TABLE lean_payments RENAME TO payments;
CREATE INDEX payments_of_user ON payments (user_id, id);
