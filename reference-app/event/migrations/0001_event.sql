CREATE TABLE events (
    id               TEXT PRIMARY KEY,
    organizer        TEXT,
    name             TEXT NOT NULL,
    venue            TEXT NOT NULL,
    -- As searched: without case, in any script.
    name_folded      TEXT NOT NULL,
    venue_folded     TEXT NOT NULL,
    starts_at        INTEGER NOT NULL,
    time_zone        TEXT NOT NULL,
    currency         TEXT NOT NULL,
    mode             TEXT NOT NULL CHECK (mode IN ('VISUAL', 'TATKAL')),
    max_per_customer INTEGER NOT NULL,
    sales_start      INTEGER,
    sales_end        INTEGER,
    waiting_room     INTEGER NOT NULL,
    -- The layout as JSON: it is always read and written whole.
    sections         TEXT NOT NULL,
    total            INTEGER NOT NULL,
    -- Places of confirmed bookings.
    taken            INTEGER NOT NULL DEFAULT 0 CHECK (taken >= 0),
    -- A DRAFT waits for the inventory to know it; nobody sees it. A SAMPLE draft survives a restart.
    phase            TEXT NOT NULL CHECK (phase IN ('DRAFT', 'SAMPLE', 'PUBLISHED', 'CANCELLED')),
    version          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX events_by_start ON events (starts_at, id);

-- What each booking did to `taken`, so that it does it once in whatever order its messages come.
CREATE TABLE counted_bookings (
    booking   TEXT PRIMARY KEY,
    event     TEXT NOT NULL,
    quantity  INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was done once for all starts.
CREATE TABLE milestones (
    name TEXT PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
