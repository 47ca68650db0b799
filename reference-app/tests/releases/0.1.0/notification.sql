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
CREATE TABLE notifications (
    id         TEXT    PRIMARY KEY,
    booking_id TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('PENDING', 'SENT', 'FAILED')),
    created_at INTEGER NOT NULL,
    -- When the mail server accepted it, whom it went to and under which subject.
    sent_at    INTEGER,
    recipient  TEXT,
    subject    TEXT,
    failure    TEXT,
    UNIQUE (booking_id, kind)
) STRICT;
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
INSERT INTO _sqlx_migrations VALUES (1, 'notifications', '2026-11-25 06:32:23', 1, X'6470347E756D50AE1409129FE6779E7CECFA015FE67ED8AD124B616F06EE831E2BECBABE052EBCF08304A29FC26A95A5', 1460711);
INSERT INTO notifications VALUES ('01a21167-c664-727b-a4e2-f3a69f95e585', '01a21167-c648-76f3-8c6d-fbafc314ec8d', 'BOOKING_CONFIRMED', '01a21167-c5eb-72d8-9eb1-bbb51295819e', 'SENT', 1795588343396286, 1795588343407672, 'ann-01a21167c5b877a28bf392ee7250aa2d@example.com', 'Your tickets for Rock Concert 2099', NULL);
INSERT INTO notifications VALUES ('01a21167-c68e-702c-b602-86e3781e7a2c', '01a21167-c66f-7415-a1b4-a536898cb415', 'BOOKING_CONFIRMED', '01a21167-c608-7074-abd5-6ed9efadc724', 'SENT', 1795588343438539, 1795588343447775, 'bob-01a21167c5ed72b6b10b12947841bef4@example.com', 'Your tickets for Rock Concert 2099', NULL);
INSERT INTO notifications VALUES ('01a21167-c6d6-76e8-ac22-64b14cbf68e1', '01a21167-c6b6-7094-a960-a023349d50b9', 'BOOKING_CONFIRMED', '01a21167-c5eb-72d8-9eb1-bbb51295819e', 'SENT', 1795588343510528, 1795588343521626, 'ann-01a21167c5b877a28bf392ee7250aa2d@example.com', 'Your tickets for Rock Concert 2099', NULL);
INSERT INTO notifications VALUES ('01a21167-c71c-779d-92e7-998a50652dbd', '01a21167-c6f1-7215-a0f7-f171f1a97ced', 'BOOKING_CONFIRMED', '01a21167-c608-7074-abd5-6ed9efadc724', 'SENT', 1795588343580912, 1795588343590177, 'bob-01a21167c5ed72b6b10b12947841bef4@example.com', 'Your tickets for Rock Concert 2099', NULL);
INSERT INTO notifications VALUES ('01a21167-c749-7771-8860-b187f65252a8', '01a21167-c727-777c-88c4-608c62a02e7d', 'BOOKING_CONFIRMED', '01a21167-c5eb-72d8-9eb1-bbb51295819e', 'SENT', 1795588343625208, 1795588343633532, 'ann-01a21167c5b877a28bf392ee7250aa2d@example.com', 'Your tickets for Express Train to Mumbai', NULL);
INSERT INTO notifications VALUES ('01a21167-c7fa-7684-8759-ea493ac9e03f', '01a21167-c7d5-72c1-ba5c-5c8e8342e356', 'BOOKING_CONFIRMED', '01a21167-c608-7074-abd5-6ed9efadc724', 'SENT', 1795588343802124, 1795588343815753, 'bob-01a21167c5ed72b6b10b12947841bef4@example.com', 'Your tickets for Rock Concert 2099', NULL);
INSERT INTO saga_instance VALUES ('mail', '01a21167-c664-727b-a4e2-f3a69f95e585', 1, 3, 'completed', 1, 'sent', 0, 0, '{"id":"01a21167-c664-727b-a4e2-f3a69f95e585","booking":{"bookingId":"01a21167-c648-76f3-8c6d-fbafc314ec8d","userId":"01a21167-c5eb-72d8-9eb1-bbb51295819e","eventId":"01a21167-c634-7356-9120-ee426b780768","seatIds":["A1","A2"],"section":null,"quantity":2,"amount":20000,"currency":"EUR","tickets":[{"ticketId":"01a21167-c661-73bd-ae4d-0dcdb22ec06e","seatId":"A1","section":null,"code":"v26mgCO8_jtgXajH7qdEQg"},{"ticketId":"01a21167-c661-73bd-ae4d-0dceaea9b806","seatId":"A2","section":null,"code":"u9MDcP_xm1iGyWu5dxqmzQ"}]},"envelope":["ann-01a21167c5b877a28bf392ee7250aa2d@example.com","Your tickets for Rock Concert 2099"],"trace":"00-5e44e39cbcda9bfa8e089ed2ce440463-a8bb52e25f5220c1-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343397544, 1795588343407629);
INSERT INTO saga_instance VALUES ('mail', '01a21167-c68e-702c-b602-86e3781e7a2c', 1, 3, 'completed', 1, 'sent', 0, 0, '{"id":"01a21167-c68e-702c-b602-86e3781e7a2c","booking":{"bookingId":"01a21167-c66f-7415-a1b4-a536898cb415","userId":"01a21167-c608-7074-abd5-6ed9efadc724","eventId":"01a21167-c634-7356-9120-ee426b780768","seatIds":["A3"],"section":null,"quantity":1,"amount":10000,"currency":"EUR","tickets":[{"ticketId":"01a21167-c68a-760c-a5e8-35e54a50a983","seatId":"A3","section":null,"code":"KgVUr6EpAiIscVXySeaXXQ"}]},"envelope":["bob-01a21167c5ed72b6b10b12947841bef4@example.com","Your tickets for Rock Concert 2099"],"trace":"00-5fec1614aaa0631d4fced888524a8d50-360922b9261bf01b-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343439332, 1795588343447728);
INSERT INTO saga_instance VALUES ('mail', '01a21167-c6d6-76e8-ac22-64b14cbf68e1', 1, 3, 'completed', 1, 'sent', 0, 0, '{"id":"01a21167-c6d6-76e8-ac22-64b14cbf68e1","booking":{"bookingId":"01a21167-c6b6-7094-a960-a023349d50b9","userId":"01a21167-c5eb-72d8-9eb1-bbb51295819e","eventId":"01a21167-c634-7356-9120-ee426b780768","seatIds":["A4"],"section":null,"quantity":1,"amount":10000,"currency":"EUR","tickets":[{"ticketId":"01a21167-c6d3-75fe-b3aa-b3b373b27f6f","seatId":"A4","section":null,"code":"HhsyHJTzC11vajCK8-ZUwA"}]},"envelope":["ann-01a21167c5b877a28bf392ee7250aa2d@example.com","Your tickets for Rock Concert 2099"],"trace":"00-7e06f8f07dd5d16febb3d128b37294e3-5bf1d1beedbf8861-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343511434, 1795588343521580);
INSERT INTO saga_instance VALUES ('mail', '01a21167-c71c-779d-92e7-998a50652dbd', 1, 3, 'completed', 1, 'sent', 0, 0, '{"id":"01a21167-c71c-779d-92e7-998a50652dbd","booking":{"bookingId":"01a21167-c6f1-7215-a0f7-f171f1a97ced","userId":"01a21167-c608-7074-abd5-6ed9efadc724","eventId":"01a21167-c634-7356-9120-ee426b780768","seatIds":["A4"],"section":null,"quantity":1,"amount":10000,"currency":"EUR","tickets":[{"ticketId":"01a21167-c714-723e-9b49-68b58621b16d","seatId":"A4","section":null,"code":"7Sxh0PJumEcPbhlQrXqclQ"}]},"envelope":["bob-01a21167c5ed72b6b10b12947841bef4@example.com","Your tickets for Rock Concert 2099"],"trace":"00-e74eaabcf1e5c3157d395ea209c4f0b4-bb244cbce82f3ae9-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343582023, 1795588343590130);
INSERT INTO saga_instance VALUES ('mail', '01a21167-c749-7771-8860-b187f65252a8', 1, 3, 'completed', 1, 'sent', 0, 0, '{"id":"01a21167-c749-7771-8860-b187f65252a8","booking":{"bookingId":"01a21167-c727-777c-88c4-608c62a02e7d","userId":"01a21167-c5eb-72d8-9eb1-bbb51295819e","eventId":"01a21167-c4fa-72eb-88c9-2cafade2463d","seatIds":[],"section":"GENERAL","quantity":2,"amount":10000,"currency":"INR","tickets":[{"ticketId":"01a21167-c744-7427-a71b-22a2e11eea88","seatId":null,"section":"GENERAL","code":"o7cDaa5GurHa1YqHI18i9g"},{"ticketId":"01a21167-c744-7427-a71b-22a398f09475","seatId":null,"section":"GENERAL","code":"MkFjszkKj5v6qlwVS5OgoA"}]},"envelope":["ann-01a21167c5b877a28bf392ee7250aa2d@example.com","Your tickets for Express Train to Mumbai"],"trace":"00-84dcd355d0a782ac8121c83acb2c6731-2b0ca8df1e958019-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343625563, 1795588343633480);
INSERT INTO saga_instance VALUES ('mail', '01a21167-c7fa-7684-8759-ea493ac9e03f', 1, 3, 'completed', 1, 'sent', 0, 0, '{"id":"01a21167-c7fa-7684-8759-ea493ac9e03f","booking":{"bookingId":"01a21167-c7d5-72c1-ba5c-5c8e8342e356","userId":"01a21167-c608-7074-abd5-6ed9efadc724","eventId":"01a21167-c634-7356-9120-ee426b780768","seatIds":["C1"],"section":null,"quantity":1,"amount":10000,"currency":"EUR","tickets":[{"ticketId":"01a21167-c7f6-71da-9ae8-e7f484cd569c","seatId":"C1","section":null,"code":"2dj_xu-wmsmqzYEesDYgpw"}]},"envelope":["bob-01a21167c5ed72b6b10b12947841bef4@example.com","Your tickets for Rock Concert 2099"],"trace":"00-ba81c7fdb7d1bf4dbd858239155fdfe3-6f9e394d78835c96-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343804143, 1795588343815708);
INSERT INTO saga_audit VALUES (1, 'x', 'y', 'resume', 'by hand');
INSERT INTO inbox VALUES ('notification', '01a21167-c661-73bd-ae4d-0dcfd76b729a');
INSERT INTO inbox VALUES ('notification', '01a21167-c68b-753f-865c-7bb89db7e3fb');
INSERT INTO inbox VALUES ('notification', '01a21167-c6d3-75fe-b3aa-b3b4710ec75b');
INSERT INTO inbox VALUES ('notification', '01a21167-c714-723e-9b49-68b61e458726');
INSERT INTO inbox VALUES ('notification', '01a21167-c745-729b-a5cd-86b847827924');
INSERT INTO inbox VALUES ('notification', '01a21167-c7f7-71a9-8e9d-66275cb63683');
CREATE INDEX notifications_of_user ON notifications (user_id, id);
CREATE INDEX saga_instance_due ON saga_instance (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX saga_instance_live ON saga_instance (name, definition, node, node_name)
    WHERE phase IN ('running', 'undoing', 'closing');
CREATE INDEX outbox_delivery_replay ON outbox_delivery (consumer, key) WHERE state = 'replay';
DELETE FROM sqlite_sequence;
COMMIT;
