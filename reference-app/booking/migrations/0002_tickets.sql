-- Tickets in one B-tree instead of four: they are only ever asked for by their booking, in the order of their ids. Nobody
-- looks a ticket up by its id or its code, and an index to keep codes of 128 random bits apart guards against what does
-- not happen, at the price of a page of its own for every ticket.
CREATE TABLE tickets_of_bookings (
    booking_id TEXT NOT NULL REFERENCES bookings (id),
    id         TEXT NOT NULL,
    seat_id    TEXT,
    section    TEXT,
    code       TEXT NOT NULL,
    PRIMARY KEY (booking_id, id)
) STRICT, WITHOUT ROWID;

INSERT INTO tickets_of_bookings (booking_id, id, seat_id, section, code)
SELECT booking_id, id, seat_id, section, code FROM tickets ORDER BY booking_id, id;

DROP TABLE tickets;
ALTER TABLE tickets_of_bookings RENAME TO tickets;
