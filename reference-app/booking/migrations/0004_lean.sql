-- The rows within their key's own B-tree, a page less for each booking that is written. The check compares one word after
-- another: of a list of three and more SQLite makes a table of its own each time that a row is written.
CREATE TABLE lean_bookings (
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
    status           TEXT    NOT NULL CHECK (status = 'PENDING' OR status = 'CONFIRMED' OR status = 'FAILED'
                                             OR status = 'CANCELLED' OR status = 'EXPIRED'),
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
) STRICT, WITHOUT ROWID;

INSERT INTO lean_bookings
    (id, user_id, event_id, hold_id, seat_ids, section, quantity, amount, currency, payment_method, status,
     failure_reason, created_at, expires_at, confirmed_at, closed_at, refund_requested, sequence)
SELECT id, user_id, event_id, hold_id, seat_ids, section, quantity, amount, currency, payment_method, status,
       failure_reason, created_at, expires_at, confirmed_at, closed_at, refund_requested, sequence
FROM bookings ORDER BY id;

-- What refers to the old table goes first.
CREATE TABLE lean_tickets (
    booking_id TEXT NOT NULL REFERENCES lean_bookings (id),
    id         TEXT NOT NULL,
    seat_id    TEXT,
    section    TEXT,
    code       TEXT NOT NULL,
    PRIMARY KEY (booking_id, id)
) STRICT, WITHOUT ROWID;

INSERT INTO lean_tickets (booking_id, id, seat_id, section, code)
SELECT booking_id, id, seat_id, section, code FROM tickets ORDER BY booking_id, id;

DROP TABLE tickets;
DROP TABLE bookings;
ALTER TABLE lean_bookings RENAME TO bookings;
ALTER TABLE lean_tickets RENAME TO tickets;
CREATE INDEX bookings_of_user ON bookings (user_id, id);
CREATE INDEX bookings_of_event ON bookings (event_id, id);
