CREATE TABLE charges (
    number INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    reference TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'failed')),
    failure_reason TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX charges_by_reference ON charges (reference);

-- A charge is refunded as a whole, so once.
CREATE TABLE refunds (
    number INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    charge_id TEXT NOT NULL UNIQUE REFERENCES charges (id),
    amount INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- What each Idempotency-Key asked for and what came of it.
CREATE TABLE idempotency_keys (
    key TEXT NOT NULL PRIMARY KEY,
    request TEXT NOT NULL,
    result_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The references whose first attempt with a method that loses its first reply has been made.
CREATE TABLE lost_replies (
    reference TEXT NOT NULL,
    payment_method TEXT NOT NULL,
    PRIMARY KEY (reference, payment_method)
) STRICT, WITHOUT ROWID;
