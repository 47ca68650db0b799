-- A seat's row says who took it last and whether it is free again. Whether what is taken is in payment or sold its claim
-- says alone: a sale writes the claim and none of the pages on which its seats are.
CREATE TABLE taken_seats (
    event   TEXT NOT NULL,
    seat    TEXT NOT NULL,
    booking TEXT NOT NULL,
    fence   INTEGER NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('TAKEN', 'FREE')),
    PRIMARY KEY (event, seat)
) STRICT, WITHOUT ROWID;

INSERT INTO taken_seats (event, seat, booking, fence, state)
SELECT event, seat, booking, fence, CASE state WHEN 'FREE' THEN 'FREE' ELSE 'TAKEN' END
FROM claim_seats ORDER BY event, seat;

DROP TABLE claim_seats;
ALTER TABLE taken_seats RENAME TO claim_seats;
