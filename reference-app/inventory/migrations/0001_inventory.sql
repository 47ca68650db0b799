-- The truth about seats in payment and sold. Holds are not here: they live in the seat lock.

CREATE TABLE events (
    id               TEXT PRIMARY KEY,
    -- The low bits of every hold id of this event: they lead from a bare hold id to its event.
    tag              INTEGER NOT NULL,
    mode             TEXT NOT NULL CHECK (mode IN ('VISUAL', 'TATKAL')),
    currency         TEXT NOT NULL,
    max_per_customer INTEGER NOT NULL CHECK (max_per_customer > 0),
    sales_start      INTEGER,
    sales_end        INTEGER NOT NULL,
    closed           INTEGER NOT NULL DEFAULT 0,
    -- The highest fence that any claim of this event carried: what a lock that lost everything starts above.
    fence            INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX events_by_tag ON events (tag);

CREATE TABLE sections (
    event    TEXT NOT NULL REFERENCES events (id),
    position INTEGER NOT NULL,
    name     TEXT NOT NULL,
    price    INTEGER NOT NULL CHECK (price >= 0),
    -- Of an area; seats have rows of their own.
    capacity INTEGER,
    -- Places of an area in payment and sold. The check is what decides between two buyers of the last place.
    taken    INTEGER NOT NULL DEFAULT 0 CHECK (taken >= 0 AND (capacity IS NULL OR taken <= capacity)),
    PRIMARY KEY (event, position),
    UNIQUE (event, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE seats (
    event    TEXT NOT NULL REFERENCES events (id),
    seat     TEXT NOT NULL,
    section  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (event, seat)
) STRICT, WITHOUT ROWID;

-- A booking's claim on its hold's places.
CREATE TABLE claims (
    booking    TEXT PRIMARY KEY,
    hold       TEXT NOT NULL UNIQUE,
    event      TEXT NOT NULL REFERENCES events (id),
    owner      TEXT NOT NULL,
    -- A JSON array of seats, or the name of an area.
    seats      TEXT,
    section    TEXT,
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    amount     INTEGER NOT NULL,
    currency   TEXT NOT NULL,
    fence      INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('PAYING', 'LAPSED', 'SOLD', 'RELEASED', 'REOPENED')),
    deadline   INTEGER NOT NULL,
    -- A claim still in payment then has lapsed: whoever wants its places may take them.
    until      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    CHECK ((seats IS NULL) <> (section IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX claims_by_owner ON claims (event, owner);
CREATE INDEX claims_in_payment ON claims (until) WHERE state = 'PAYING';

-- One row a seat that was ever claimed: the key allows one booking a seat, and the fence of the last one
-- stays, so that a hold older than it comes too late.
CREATE TABLE claim_seats (
    event   TEXT NOT NULL,
    seat    TEXT NOT NULL,
    booking TEXT NOT NULL,
    fence   INTEGER NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('PAYING', 'SOLD', 'FREE')),
    PRIMARY KEY (event, seat)
) STRICT, WITHOUT ROWID;

-- Bookings that were released before they began: their late beginning is refused.
CREATE TABLE voided_bookings (
    booking   TEXT PRIMARY KEY,
    voided_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
