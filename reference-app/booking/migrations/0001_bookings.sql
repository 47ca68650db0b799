-- One booking a hold: the unique hold_id is what lets exactly one of two concurrent requests win.
CREATE TABLE bookings (
    id               TEXT    PRIMARY KEY,
    user_id          TEXT    NOT NULL,
    event_id         TEXT    NOT NULL,
    hold_id          TEXT    NOT NULL UNIQUE,
    -- A JSON list, empty for an area. Bookings are not looked up by seat: whose seat it is, Inventory knows.
    seat_ids         TEXT    NOT NULL,
    section          TEXT,
    quantity         INTEGER NOT NULL CHECK (quantity > 0),
    amount           INTEGER NOT NULL CHECK (amount >= 0),
    currency         TEXT    NOT NULL,
    payment_method   TEXT    NOT NULL,
    status           TEXT    NOT NULL CHECK (status IN ('PENDING', 'CONFIRMED', 'FAILED', 'CANCELLED', 'EXPIRED')),
    failure_reason   TEXT,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    confirmed_at     INTEGER,
    -- When nothing more was to be done: the seats are free and, of a cancelled booking, the money is back.
    closed_at        INTEGER,
    -- Whether Payment was told to void the payment; it is told once.
    refund_requested INTEGER NOT NULL DEFAULT 0 CHECK (refund_requested IN (0, 1)),
    -- How many events this booking has told.
    sequence         INTEGER NOT NULL
) STRICT;

CREATE INDEX bookings_of_user ON bookings (user_id, id);
-- For the cancellation of an event: what is still open or paid.
CREATE INDEX live_bookings_of_event ON bookings (event_id, id) WHERE status IN ('PENDING', 'CONFIRMED');

CREATE TABLE tickets (
    id         TEXT    PRIMARY KEY,
    booking_id TEXT    NOT NULL REFERENCES bookings (id),
    seat_id    TEXT,
    section    TEXT,
    code       TEXT    NOT NULL UNIQUE
) STRICT;

CREATE INDEX tickets_of_booking ON tickets (booking_id);

-- Events that will not take place. A booking that confirms after its event was cancelled finds it here, in the
-- commit that would have confirmed it.
CREATE TABLE cancelled_events (
    event_id     TEXT    PRIMARY KEY,
    cancelled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
