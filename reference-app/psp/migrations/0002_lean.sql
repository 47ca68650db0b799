-- Charges and refunds within the B-tree of their ids, which are made in the order of time: a page less for each that is
-- written, and no number to put them in order.
CREATE TABLE lean_charges (
    id TEXT NOT NULL PRIMARY KEY,
    reference TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'failed')),
    failure_reason TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO lean_charges (id, reference, amount, currency, status, failure_reason, created_at)
SELECT id, reference, amount, currency, status, failure_reason, created_at FROM charges ORDER BY id;

-- A charge is refunded as a whole, so once.
CREATE TABLE lean_refunds (
    id TEXT NOT NULL PRIMARY KEY,
    charge_id TEXT NOT NULL UNIQUE REFERENCES lean_charges (id),
    amount INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO lean_refunds (id, charge_id, amount, created_at)
SELECT id, charge_id, amount, created_at FROM refunds ORDER BY id;

-- What refers to the charges first; a new name is followed by those that refer to it.
DROP TABLE refunds;
DROP TABLE charges;
ALTER TABLE lean_charges RENAME TO charges;
ALTER TABLE lean_refunds RENAME TO refunds;
CREATE INDEX charges_by_reference ON charges (reference);
