-- One payment a booking: the unique booking_id is what keeps a repeated order from being charged twice.
CREATE TABLE payments (
    id                 TEXT    PRIMARY KEY,
    booking_id         TEXT    NOT NULL UNIQUE,
    user_id            TEXT    NOT NULL,
    event_id           TEXT    NOT NULL,
    amount             INTEGER NOT NULL CHECK (amount >= 0),
    currency           TEXT    NOT NULL,
    method             TEXT    NOT NULL,
    -- No charge is sent after this moment.
    deadline           INTEGER NOT NULL,
    status             TEXT    NOT NULL CHECK (status IN ('PENDING', 'UNKNOWN', 'SUCCEEDED', 'FAILED', 'REFUNDED')),
    -- When a charge was last sent to the provider. Written before it is sent, so that after a crash nobody
    -- takes a payment whose charge may have landed for one that was never tried.
    sent_at            INTEGER,
    provider_charge_id TEXT,
    voided             INTEGER NOT NULL DEFAULT 0 CHECK (voided IN (0, 1)),
    failure_reason     TEXT,
    created_at         INTEGER NOT NULL,
    sequence           INTEGER NOT NULL
) STRICT;

CREATE INDEX payments_of_user ON payments (user_id, id);

-- Bookings whose payment was voided before it was ordered: topics keep no order among each other.
CREATE TABLE voided_bookings (
    booking_id TEXT    PRIMARY KEY,
    voided_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
