-- The check compares one word after another: of a list of three and more SQLite makes a table of its own each time that a
-- row is written.
CREATE TABLE checked_claims (
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
    state      TEXT NOT NULL CHECK (state = 'PAYING' OR state = 'LAPSED' OR state = 'SOLD' OR state = 'RELEASED'
                                    OR state = 'REOPENED'),
    deadline   INTEGER NOT NULL,
    -- A claim still in payment then has lapsed: whoever wants its places may take them.
    until      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    CHECK ((seats IS NULL) <> (section IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO checked_claims
    (booking, hold, event, owner, seats, section, quantity, amount, currency, fence, state, deadline, until, created_at,
     changed_at)
SELECT booking, hold, event, owner, seats, section, quantity, amount, currency, fence, state, deadline, until, created_at,
       changed_at
FROM claims ORDER BY booking;

DROP TABLE claims;
ALTER TABLE checked_claims RENAME TO claims;
CREATE INDEX claims_by_owner ON claims (event, owner);
CREATE INDEX claims_in_payment ON claims (until) WHERE state = 'PAYING';
