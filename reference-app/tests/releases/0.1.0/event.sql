PRAGMA user_version = 0;
BEGIN;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
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
CREATE TABLE counted_bookings (
    booking   TEXT PRIMARY KEY,
    event     TEXT NOT NULL,
    quantity  INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE milestones (
    name TEXT PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE saga_instance (
    name       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    definition INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    phase      TEXT    NOT NULL CHECK (phase IN ('running', 'undoing', 'closing', 'completed', 'failed')),
    node       INTEGER NOT NULL,
    node_name  TEXT    NOT NULL,
    doubt      INTEGER NOT NULL,
    failures   INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    cancel     TEXT,
    failure    TEXT,
    undos      TEXT    NOT NULL,
    owed       TEXT    NOT NULL,
    parked     INTEGER NOT NULL,
    wake_at    INTEGER,
    error      TEXT,
    started_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, key)
) WITHOUT ROWID;
CREATE TABLE saga_audit (
    at     INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    action TEXT    NOT NULL,
    reason TEXT    NOT NULL
);
CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    topic    TEXT NOT NULL,
    key      TEXT NOT NULL,
    envelope TEXT NOT NULL
);
CREATE TABLE outbox_position (
    consumer TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE outbox_delivery (
    consumer TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    key      TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('waiting', 'dead', 'replay')),
    failures INTEGER NOT NULL,
    retry_at INTEGER NOT NULL,
    error    TEXT,
    PRIMARY KEY (consumer, seq)
) WITHOUT ROWID;
CREATE TABLE inbox (
    consumer TEXT NOT NULL,
    id       TEXT NOT NULL,
    PRIMARY KEY (consumer, id)
) WITHOUT ROWID;
INSERT INTO _sqlx_migrations VALUES (1, 'event', '2026-11-25 06:32:23', 1, X'DB00A514B5AF524C35524799C0908DC09023EDB3C9C24FDC61CF09306309CAA74078EABB255A336538BBE4A2487E1690', 3355523);
INSERT INTO events VALUES ('01a21167-c4fa-72eb-88c9-2cae817f8d7e', NULL, 'Rock Concert', 'City Arena', 'rock concert', 'city arena', 1798178400000000, 'Asia/Kolkata', 'INR', 'VISUAL', 10, NULL, NULL, 0, '[{"name":"PREMIUM","price":10000,"seats":["A1","A2","A3","A4","A5","A6","A7","A8","A9","A10","B1","B2","B3","B4","B5","B6","B7","B8","B9","B10","C1","C2","C3","C4","C5","C6","C7","C8","C9","C10"]},{"name":"STANDARD","price":7500,"seats":["D1","D2","D3","D4","D5","D6","D7","D8","D9","D10","E1","E2","E3","E4","E5","E6","E7","E8","E9","E10","F1","F2","F3","F4","F5","F6","F7","F8","F9","F10"]},{"name":"ECONOMY","price":5000,"seats":["G1","G2","G3","G4","G5","G6","G7","G8","G9","G10","H1","H2","H3","H4","H5","H6","H7","H8","H9","H10","I1","I2","I3","I4","I5","I6","I7","I8","I9","I10","J1","J2","J3","J4","J5","J6","J7","J8","J9","J10"]}]', 100, 0, 'PUBLISHED', 1);
INSERT INTO events VALUES ('01a21167-c4fa-72eb-88c9-2cafade2463d', NULL, 'Express Train to Mumbai', 'Central Station', 'express train to mumbai', 'central station', 1798178400000000, 'Asia/Kolkata', 'INR', 'TATKAL', 10, NULL, NULL, 0, '[{"name":"GENERAL","price":5000,"capacity":200}]', 200, 2, 'PUBLISHED', 1);
INSERT INTO events VALUES ('01a21167-c634-7356-9120-ee426b780768', '01a21167-c4a6-76a9-8de8-b65e992ad08b', 'Rock Concert 2099', 'Hall', 'rock concert 2099', 'hall', 4081312800000000, 'Europe/Paris', 'EUR', 'VISUAL', 10, NULL, NULL, 0, '[{"name":"PREMIUM","price":10000,"seats":["A1","A2","A3","A4","A5","A6","A7","A8","A9","A10","B1","B2","B3","B4","B5","B6","B7","B8","B9","B10","C1","C2","C3","C4","C5","C6","C7","C8","C9","C10"]},{"name":"STANDARD","price":7500,"seats":["D1","D2","D3","D4","D5","D6","D7","D8","D9","D10"]}]', 40, 5, 'PUBLISHED', 1);
INSERT INTO events VALUES ('01a21167-c748-759c-a5bc-310de06d2440', '01a21167-c4a6-76a9-8de8-b65e992ad08b', 'Never', 'Hall', 'never', 'hall', 4081312800000000, 'Europe/Paris', 'EUR', 'VISUAL', 10, NULL, NULL, 0, '[{"name":"PREMIUM","price":10000,"seats":["A1","A2","A3","A4","A5","A6","A7","A8","A9","A10","B1","B2","B3","B4","B5","B6","B7","B8","B9","B10","C1","C2","C3","C4","C5","C6","C7","C8","C9","C10"]},{"name":"STANDARD","price":7500,"seats":["D1","D2","D3","D4","D5","D6","D7","D8","D9","D10"]}]', 40, 0, 'CANCELLED', 2);
INSERT INTO counted_bookings VALUES ('01a21167-c648-76f3-8c6d-fbafc314ec8d', '01a21167-c634-7356-9120-ee426b780768', 2, 1, 0);
INSERT INTO counted_bookings VALUES ('01a21167-c66f-7415-a1b4-a536898cb415', '01a21167-c634-7356-9120-ee426b780768', 1, 1, 0);
INSERT INTO counted_bookings VALUES ('01a21167-c6b6-7094-a960-a023349d50b9', '01a21167-c634-7356-9120-ee426b780768', 1, 1, 1);
INSERT INTO counted_bookings VALUES ('01a21167-c6f1-7215-a0f7-f171f1a97ced', '01a21167-c634-7356-9120-ee426b780768', 1, 1, 0);
INSERT INTO counted_bookings VALUES ('01a21167-c727-777c-88c4-608c62a02e7d', '01a21167-c4fa-72eb-88c9-2cafade2463d', 2, 1, 0);
INSERT INTO counted_bookings VALUES ('01a21167-c7d5-72c1-ba5c-5c8e8342e356', '01a21167-c634-7356-9120-ee426b780768', 1, 1, 0);
INSERT INTO milestones VALUES ('sample-events', 1795588343034692);
INSERT INTO saga_audit VALUES (1, 'x', 'y', 'resume', 'by hand');
INSERT INTO outbox VALUES (1, '01a21167-c4ff-77cb-a13a-68098f8c9ceb', 'event.created', '01a21167-c4fa-72eb-88c9-2cae817f8d7e', '{"id":"01a21167-c4ff-77cb-a13a-68098f8c9ceb","type":"event.created","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.039335Z","key":"01a21167-c4fa-72eb-88c9-2cae817f8d7e","sequence":1,"data":{"event":{"availableSeats":100,"bookingMode":"VISUAL","currency":"INR","id":"01a21167-c4fa-72eb-88c9-2cae817f8d7e","maxSeatsPerCustomer":10,"name":"Rock Concert","organizerId":null,"salesEnd":null,"salesStart":null,"sections":[{"name":"PREMIUM","price":10000,"seats":["A1","A2","A3","A4","A5","A6","A7","A8","A9","A10","B1","B2","B3","B4","B5","B6","B7","B8","B9","B10","C1","C2","C3","C4","C5","C6","C7","C8","C9","C10"]},{"name":"STANDARD","price":7500,"seats":["D1","D2","D3","D4","D5","D6","D7","D8","D9","D10","E1","E2","E3","E4","E5","E6","E7","E8","E9","E10","F1","F2","F3","F4","F5","F6","F7","F8","F9","F10"]},{"name":"ECONOMY","price":5000,"seats":["G1","G2","G3","G4","G5","G6","G7","G8","G9","G10","H1","H2","H3","H4","H5","H6","H7","H8","H9","H10","I1","I2","I3","I4","I5","I6","I7","I8","I9","I10","J1","J2","J3","J4","J5","J6","J7","J8","J9","J10"]}],"startsAt":"2026-12-25T06:00:00Z","status":"ON_SALE","timeZone":"Asia/Kolkata","totalSeats":100,"venue":"City Arena","waitingRoom":false}}}');
INSERT INTO outbox VALUES (2, '01a21167-c503-7670-beeb-779446501a7d', 'event.created', '01a21167-c4fa-72eb-88c9-2cafade2463d', '{"id":"01a21167-c503-7670-beeb-779446501a7d","type":"event.created","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.043591Z","key":"01a21167-c4fa-72eb-88c9-2cafade2463d","sequence":1,"data":{"event":{"availableSeats":200,"bookingMode":"TATKAL","currency":"INR","id":"01a21167-c4fa-72eb-88c9-2cafade2463d","maxSeatsPerCustomer":10,"name":"Express Train to Mumbai","organizerId":null,"salesEnd":null,"salesStart":null,"sections":[{"capacity":200,"name":"GENERAL","price":5000}],"startsAt":"2026-12-25T06:00:00Z","status":"ON_SALE","timeZone":"Asia/Kolkata","totalSeats":200,"venue":"Central Station","waitingRoom":false}}}');
INSERT INTO outbox VALUES (3, '01a21167-c63d-71ac-b372-1ae234541360', 'event.created', '01a21167-c634-7356-9120-ee426b780768', '{"id":"01a21167-c63d-71ac-b372-1ae234541360","type":"event.created","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.357839Z","key":"01a21167-c634-7356-9120-ee426b780768","sequence":1,"trace":"00-ce4cbc6d25c26436c21bfa7a565e34e3-d14d41eb1926ac71-01","data":{"event":{"availableSeats":40,"bookingMode":"VISUAL","currency":"EUR","id":"01a21167-c634-7356-9120-ee426b780768","maxSeatsPerCustomer":10,"name":"Rock Concert 2099","organizerId":"01a21167-c4a6-76a9-8de8-b65e992ad08b","salesEnd":null,"salesStart":null,"sections":[{"name":"PREMIUM","price":10000,"seats":["A1","A2","A3","A4","A5","A6","A7","A8","A9","A10","B1","B2","B3","B4","B5","B6","B7","B8","B9","B10","C1","C2","C3","C4","C5","C6","C7","C8","C9","C10"]},{"name":"STANDARD","price":7500,"seats":["D1","D2","D3","D4","D5","D6","D7","D8","D9","D10"]}],"startsAt":"2099-05-01T10:00:00Z","status":"ON_SALE","timeZone":"Europe/Paris","totalSeats":40,"venue":"Hall","waitingRoom":false}}}');
INSERT INTO outbox VALUES (4, '01a21167-c750-77e0-af59-7fd8d3a48d44', 'event.created', '01a21167-c748-759c-a5bc-310de06d2440', '{"id":"01a21167-c750-77e0-af59-7fd8d3a48d44","type":"event.created","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.632473Z","key":"01a21167-c748-759c-a5bc-310de06d2440","sequence":1,"trace":"00-040b53b5e4773abd22e71c3231f05970-d00ad1b3e24eaedd-01","data":{"event":{"availableSeats":40,"bookingMode":"VISUAL","currency":"EUR","id":"01a21167-c748-759c-a5bc-310de06d2440","maxSeatsPerCustomer":10,"name":"Never","organizerId":"01a21167-c4a6-76a9-8de8-b65e992ad08b","salesEnd":null,"salesStart":null,"sections":[{"name":"PREMIUM","price":10000,"seats":["A1","A2","A3","A4","A5","A6","A7","A8","A9","A10","B1","B2","B3","B4","B5","B6","B7","B8","B9","B10","C1","C2","C3","C4","C5","C6","C7","C8","C9","C10"]},{"name":"STANDARD","price":7500,"seats":["D1","D2","D3","D4","D5","D6","D7","D8","D9","D10"]}],"startsAt":"2099-05-01T10:00:00Z","status":"ON_SALE","timeZone":"Europe/Paris","totalSeats":40,"venue":"Hall","waitingRoom":false}}}');
INSERT INTO outbox VALUES (5, '01a21167-c756-774d-a3c8-11a120c25a05', 'event.cancelled', '01a21167-c748-759c-a5bc-310de06d2440', '{"id":"01a21167-c756-774d-a3c8-11a120c25a05","type":"event.cancelled","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.638086Z","key":"01a21167-c748-759c-a5bc-310de06d2440","sequence":2,"trace":"00-bd1dfefd05fe471f10ce57dcbb6a1ee4-72fabae9c0a59ad2-01","data":{"eventId":"01a21167-c748-759c-a5bc-310de06d2440"}}');
INSERT INTO outbox_position VALUES ('booking.events', 5);
INSERT INTO outbox_position VALUES ('booking.payments', 5);
INSERT INTO outbox_position VALUES ('event', 5);
INSERT INTO outbox_position VALUES ('notification', 5);
INSERT INTO outbox_position VALUES ('payment', 5);
INSERT INTO inbox VALUES ('event', '01a21167-c661-73bd-ae4d-0dcfd76b729a');
INSERT INTO inbox VALUES ('event', '01a21167-c68b-753f-865c-7bb89db7e3fb');
INSERT INTO inbox VALUES ('event', '01a21167-c6d3-75fe-b3aa-b3b4710ec75b');
INSERT INTO inbox VALUES ('event', '01a21167-c6ea-767a-803e-2e8398023b13');
INSERT INTO inbox VALUES ('event', '01a21167-c714-723e-9b49-68b61e458726');
INSERT INTO inbox VALUES ('event', '01a21167-c745-729b-a5cd-86b847827924');
INSERT INTO inbox VALUES ('event', '01a21167-c7f7-71a9-8e9d-66275cb63683');
CREATE INDEX events_by_start ON events (starts_at, id);
CREATE INDEX saga_instance_due ON saga_instance (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX saga_instance_live ON saga_instance (name, definition, node, node_name)
    WHERE phase IN ('running', 'undoing', 'closing');
CREATE INDEX outbox_delivery_replay ON outbox_delivery (consumer, key) WHERE state = 'replay';
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES ('outbox', 5);
COMMIT;
