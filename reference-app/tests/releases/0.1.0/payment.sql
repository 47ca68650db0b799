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
CREATE TABLE payments (
    id                 TEXT    PRIMARY KEY,
    booking_id         TEXT    NOT NULL UNIQUE,
    user_id            TEXT    NOT NULL,
    event_id           TEXT    NOT NULL,
    amount             INTEGER NOT NULL CHECK (amount >= 0),
    currency           TEXT    NOT NULL,
    method             TEXT    NOT NULL,
    -- No charge is sent after this moment.
    deadline           INTEGER NOT NULL,
    status             TEXT    NOT NULL CHECK (status IN ('PENDING', 'UNKNOWN', 'SUCCEEDED', 'FAILED', 'REFUNDED')),
    -- When a charge was last sent to the provider. Written before it is sent, so that after a crash nobody
    -- takes a payment whose charge may have landed for one that was never tried.
    sent_at            INTEGER,
    provider_charge_id TEXT,
    voided             INTEGER NOT NULL DEFAULT 0 CHECK (voided IN (0, 1)),
    failure_reason     TEXT,
    created_at         INTEGER NOT NULL,
    sequence           INTEGER NOT NULL
) STRICT;
CREATE TABLE voided_bookings (
    booking_id TEXT    PRIMARY KEY,
    voided_at  INTEGER NOT NULL
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
INSERT INTO _sqlx_migrations VALUES (1, 'payments', '2026-11-25 06:32:23', 1, X'CB6CA1B2E908AD3C19577570BBF656F4BF9D861CE8131CE2C4E27F113B11E0F0CBC2D526F493049DCB875282C24306E3', 729674);
INSERT INTO payments VALUES ('01a21167-c64d-739c-8ab1-7de7bc2155b5', '01a21167-c648-76f3-8c6d-fbafc314ec8d', '01a21167-c5eb-72d8-9eb1-bbb51295819e', '01a21167-c634-7356-9120-ee426b780768', 20000, 'EUR', 'pm_ok', 2110948343369446, 'SUCCEEDED', 1795588343377097, 'ch_01a21167c652723a8155c0ec6d5d5d75', 0, NULL, 1795588343373013, 1);
INSERT INTO payments VALUES ('01a21167-c675-764b-a5c2-3558548c956c', '01a21167-c66f-7415-a1b4-a536898cb415', '01a21167-c608-7074-abd5-6ed9efadc724', '01a21167-c634-7356-9120-ee426b780768', 10000, 'EUR', 'pm_lost_reply_charged', 2110948343407972, 'SUCCEEDED', 1795588343415662, 'ch_01a21167c67976c5bbb2b0f709a1ac19', 0, NULL, 1795588343413701, 1);
INSERT INTO payments VALUES ('01a21167-c699-716c-bcba-6efa295ff07b', '01a21167-c690-7198-aa6b-f87886827422', '01a21167-c608-7074-abd5-6ed9efadc724', '01a21167-c634-7356-9120-ee426b780768', 10000, 'EUR', 'pm_declined', 2110948343441313, 'FAILED', 1795588343457621, NULL, 0, 'declined: card_declined', 1795588343449877, 1);
INSERT INTO payments VALUES ('01a21167-c6be-72a2-8962-aef40c3dede5', '01a21167-c6b6-7094-a960-a023349d50b9', '01a21167-c5eb-72d8-9eb1-bbb51295819e', '01a21167-c634-7356-9120-ee426b780768', 10000, 'EUR', 'pm_ok', 2110948343479993, 'REFUNDED', 1795588343489393, 'ch_01a21167c6c27271a649af4fdd4209e4', 1, NULL, 1795588343486692, 2);
INSERT INTO payments VALUES ('01a21167-c6fb-7157-84b4-0b26602d374c', '01a21167-c6f1-7215-a0f7-f171f1a97ced', '01a21167-c608-7074-abd5-6ed9efadc724', '01a21167-c634-7356-9120-ee426b780768', 10000, 'EUR', 'pm_ok', 2110948343538051, 'SUCCEEDED', 1795588343551370, 'ch_01a21167c70374188052ab4e621a3891', 0, NULL, 1795588343547571, 1);
INSERT INTO payments VALUES ('01a21167-c72d-766f-af79-6c198fda546b', '01a21167-c727-777c-88c4-608c62a02e7d', '01a21167-c5eb-72d8-9eb1-bbb51295819e', '01a21167-c4fa-72eb-88c9-2cafade2463d', 10000, 'INR', 'pm_ok', 2110948343592898, 'SUCCEEDED', 1795588343601298, 'ch_01a21167c73473e396785597e2d16d32', 0, NULL, 1795588343597119, 1);
INSERT INTO payments VALUES ('01a21167-c7da-753e-acf3-d2463a8ebdf4', '01a21167-c7d5-72c1-ba5c-5c8e8342e356', '01a21167-c608-7074-abd5-6ed9efadc724', '01a21167-c634-7356-9120-ee426b780768', 10000, 'EUR', 'pm_ok', 2110948343766101, 'SUCCEEDED', 1795588343774789, 'ch_01a21167c7e473ba93f6c24624e5a35f', 0, NULL, 1795588343770934, 1);
INSERT INTO payments VALUES ('01a21167-c808-74cc-b74a-efaa59df96a8', '01a21167-c802-74b7-88d9-0dedec0007db', '01a21167-c5eb-72d8-9eb1-bbb51295819e', '01a21167-c634-7356-9120-ee426b780768', 7500, 'EUR', 'pm_slow', 2110948343811704, 'PENDING', 1795588343819889, NULL, 0, NULL, 1795588343816315, 0);
INSERT INTO voided_bookings VALUES ('01a21167-c75e-7298-a109-12efd3b5f9dd', 1795588343666816);
INSERT INTO saga_instance VALUES ('charge', '01a21167-c648-76f3-8c6d-fbafc314ec8d', 1, 3, 'completed', 1, 'record', 0, 0, '{"payment":"01a21167-c64d-739c-8ab1-7de7bc2155b5","booking":"01a21167-c648-76f3-8c6d-fbafc314ec8d","found":{"Charged":"ch_01a21167c652723a8155c0ec6d5d5d75"},"trace":"00-82775117d670b519e0ae616326700a9b-ad28448c78c241ed-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343374725, 1795588343380486);
INSERT INTO saga_instance VALUES ('charge', '01a21167-c66f-7415-a1b4-a536898cb415', 1, 4, 'completed', 1, 'record', 0, 0, '{"payment":"01a21167-c675-764b-a5c2-3558548c956c","booking":"01a21167-c66f-7415-a1b4-a536898cb415","found":{"Charged":"ch_01a21167c67976c5bbb2b0f709a1ac19"},"trace":"00-37247bfc862bc5c0294ec9cc257c505d-8d8d4abcc08929f1-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343414195, 1795588343422469);
INSERT INTO saga_instance VALUES ('charge', '01a21167-c690-7198-aa6b-f87886827422', 1, 3, 'failed', 0, 'charge', 0, 0, '{"payment":"01a21167-c699-716c-bcba-6efa295ff07b","booking":"01a21167-c690-7198-aa6b-f87886827422","found":null,"trace":"00-35aca1d46d8facc4f595865b5ab92c34-9c375d29d76b4b7b-01"}', NULL, '{"aborted":"declined: card_declined"}', '[]', '[]', 0, NULL, 'declined: card_declined', 1795588343455057, 1795588343464350);
INSERT INTO saga_instance VALUES ('charge', '01a21167-c6b6-7094-a960-a023349d50b9', 1, 3, 'completed', 1, 'record', 0, 0, '{"payment":"01a21167-c6be-72a2-8962-aef40c3dede5","booking":"01a21167-c6b6-7094-a960-a023349d50b9","found":{"Charged":"ch_01a21167c6c27271a649af4fdd4209e4"},"trace":"00-1f48c0aa4d31d7c74d96105e87a279be-2be54ec4a1f8ccda-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343487975, 1795588343492435);
INSERT INTO saga_instance VALUES ('charge', '01a21167-c6f1-7215-a0f7-f171f1a97ced', 1, 3, 'completed', 1, 'record', 0, 0, '{"payment":"01a21167-c6fb-7157-84b4-0b26602d374c","booking":"01a21167-c6f1-7215-a0f7-f171f1a97ced","found":{"Charged":"ch_01a21167c70374188052ab4e621a3891"},"trace":"00-95b63a3f6943b9cef849690bf031e4d4-1fafd97dd9846a07-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343548711, 1795588343559979);
INSERT INTO saga_instance VALUES ('charge', '01a21167-c727-777c-88c4-608c62a02e7d', 1, 3, 'completed', 1, 'record', 0, 0, '{"payment":"01a21167-c72d-766f-af79-6c198fda546b","booking":"01a21167-c727-777c-88c4-608c62a02e7d","found":{"Charged":"ch_01a21167c73473e396785597e2d16d32"},"trace":"00-ad1e4d605870a67178d9434142c6a282-5dc4c7c5d0fd0d8d-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343598204, 1795588343607598);
INSERT INTO saga_instance VALUES ('charge', '01a21167-c7d5-72c1-ba5c-5c8e8342e356', 1, 3, 'completed', 1, 'record', 0, 0, '{"payment":"01a21167-c7da-753e-acf3-d2463a8ebdf4","booking":"01a21167-c7d5-72c1-ba5c-5c8e8342e356","found":{"Charged":"ch_01a21167c7e473ba93f6c24624e5a35f"},"trace":"00-d286944de796c3e468bd3cb4357cc011-7fc9e72400e61b69-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343772222, 1795588343782955);
INSERT INTO saga_instance VALUES ('charge', '01a21167-c802-74b7-88d9-0dedec0007db', 1, 1, 'running', 0, 'charge', 0, 0, '{"payment":"01a21167-c808-74cc-b74a-efaa59df96a8","booking":"01a21167-c802-74b7-88d9-0dedec0007db","found":null,"trace":"00-c0ff132de1677d72617ce34fc6ac4e68-01b4954cad941446-01"}', NULL, NULL, '[]', '[]', 0, 0, NULL, 1795588343818084, 1795588343818084);
INSERT INTO saga_instance VALUES ('refund', '01a21167-c6b6-7094-a960-a023349d50b9', 1, 3, 'completed', 1, 'record', 0, 0, '{"booking":"01a21167-c6b6-7094-a960-a023349d50b9","trace":"00-c0f0802630fdec35c3d15260282e32a7-1df661890c32ccd6-01"}', NULL, NULL, '[]', '[]', 0, NULL, NULL, 1795588343514925, 1795588343523069);
INSERT INTO saga_audit VALUES (1, 'x', 'y', 'resume', 'by hand');
INSERT INTO outbox VALUES (1, '01a21167-c655-73df-b870-97866d8f6d02', 'payment.succeeded', '01a21167-c648-76f3-8c6d-fbafc314ec8d', '{"id":"01a21167-c655-73df-b870-97866d8f6d02","type":"payment.succeeded","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.380522Z","key":"01a21167-c648-76f3-8c6d-fbafc314ec8d","sequence":1,"data":{"amount":20000,"bookingId":"01a21167-c648-76f3-8c6d-fbafc314ec8d","currency":"EUR","paymentId":"01a21167-c64d-739c-8ab1-7de7bc2155b5","providerChargeId":"ch_01a21167c652723a8155c0ec6d5d5d75"}}');
INSERT INTO outbox VALUES (2, '01a21167-c67e-737d-9929-a055a57e97e9', 'payment.succeeded', '01a21167-c66f-7415-a1b4-a536898cb415', '{"id":"01a21167-c67e-737d-9929-a055a57e97e9","type":"payment.succeeded","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.422508Z","key":"01a21167-c66f-7415-a1b4-a536898cb415","sequence":1,"data":{"amount":10000,"bookingId":"01a21167-c66f-7415-a1b4-a536898cb415","currency":"EUR","paymentId":"01a21167-c675-764b-a5c2-3558548c956c","providerChargeId":"ch_01a21167c67976c5bbb2b0f709a1ac19"}}');
INSERT INTO outbox VALUES (3, '01a21167-c6a8-73e9-8fea-2dbca965577a', 'payment.failed', '01a21167-c690-7198-aa6b-f87886827422', '{"id":"01a21167-c6a8-73e9-8fea-2dbca965577a","type":"payment.failed","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.464382Z","key":"01a21167-c690-7198-aa6b-f87886827422","sequence":1,"data":{"bookingId":"01a21167-c690-7198-aa6b-f87886827422","paymentId":"01a21167-c699-716c-bcba-6efa295ff07b","reason":"declined: card_declined"}}');
INSERT INTO outbox VALUES (4, '01a21167-c6c5-70b9-8ee8-11d32a55e86c', 'payment.succeeded', '01a21167-c6b6-7094-a960-a023349d50b9', '{"id":"01a21167-c6c5-70b9-8ee8-11d32a55e86c","type":"payment.succeeded","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.492474Z","key":"01a21167-c6b6-7094-a960-a023349d50b9","sequence":1,"data":{"amount":10000,"bookingId":"01a21167-c6b6-7094-a960-a023349d50b9","currency":"EUR","paymentId":"01a21167-c6be-72a2-8962-aef40c3dede5","providerChargeId":"ch_01a21167c6c27271a649af4fdd4209e4"}}');
INSERT INTO outbox VALUES (5, '01a21167-c6e3-70cb-b107-d6dd274d37e0', 'payment.refunded', '01a21167-c6b6-7094-a960-a023349d50b9', '{"id":"01a21167-c6e3-70cb-b107-d6dd274d37e0","type":"payment.refunded","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.523358Z","key":"01a21167-c6b6-7094-a960-a023349d50b9","sequence":2,"data":{"amount":10000,"bookingId":"01a21167-c6b6-7094-a960-a023349d50b9","currency":"EUR","paymentId":"01a21167-c6be-72a2-8962-aef40c3dede5"}}');
INSERT INTO outbox VALUES (6, '01a21167-c709-71e2-81cf-d0f70feccb0f', 'payment.succeeded', '01a21167-c6f1-7215-a0f7-f171f1a97ced', '{"id":"01a21167-c709-71e2-81cf-d0f70feccb0f","type":"payment.succeeded","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.560028Z","key":"01a21167-c6f1-7215-a0f7-f171f1a97ced","sequence":1,"data":{"amount":10000,"bookingId":"01a21167-c6f1-7215-a0f7-f171f1a97ced","currency":"EUR","paymentId":"01a21167-c6fb-7157-84b4-0b26602d374c","providerChargeId":"ch_01a21167c70374188052ab4e621a3891"}}');
INSERT INTO outbox VALUES (7, '01a21167-c738-76b9-9732-ced992a87015', 'payment.succeeded', '01a21167-c727-777c-88c4-608c62a02e7d', '{"id":"01a21167-c738-76b9-9732-ced992a87015","type":"payment.succeeded","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.607643Z","key":"01a21167-c727-777c-88c4-608c62a02e7d","sequence":1,"data":{"amount":10000,"bookingId":"01a21167-c727-777c-88c4-608c62a02e7d","currency":"INR","paymentId":"01a21167-c72d-766f-af79-6c198fda546b","providerChargeId":"ch_01a21167c73473e396785597e2d16d32"}}');
INSERT INTO outbox VALUES (8, '01a21167-c7e7-7162-8eff-1340826d1cf4', 'payment.succeeded', '01a21167-c7d5-72c1-ba5c-5c8e8342e356', '{"id":"01a21167-c7e7-7162-8eff-1340826d1cf4","type":"payment.succeeded","schemaVersion":1,"occurredAt":"2026-11-25T06:32:23.783003Z","key":"01a21167-c7d5-72c1-ba5c-5c8e8342e356","sequence":1,"data":{"amount":10000,"bookingId":"01a21167-c7d5-72c1-ba5c-5c8e8342e356","currency":"EUR","paymentId":"01a21167-c7da-753e-acf3-d2463a8ebdf4","providerChargeId":"ch_01a21167c7e473ba93f6c24624e5a35f"}}');
INSERT INTO outbox_position VALUES ('booking.events', 7);
INSERT INTO outbox_position VALUES ('booking.payments', 7);
INSERT INTO outbox_position VALUES ('event', 7);
INSERT INTO outbox_position VALUES ('notification', 7);
INSERT INTO outbox_position VALUES ('payment', 7);
INSERT INTO inbox VALUES ('payment', '01a21167-c64b-70f8-a112-ffff4809ae56');
INSERT INTO inbox VALUES ('payment', '01a21167-c673-7011-89b6-e3aba35fd049');
INSERT INTO inbox VALUES ('payment', '01a21167-c696-73b5-b644-7768a441cd77');
INSERT INTO inbox VALUES ('payment', '01a21167-c6bc-763e-8e29-e5183b9c39e0');
INSERT INTO inbox VALUES ('payment', '01a21167-c6d7-75e5-9903-7829957dbea6');
INSERT INTO inbox VALUES ('payment', '01a21167-c6f6-7098-9bc2-b132cdaf5e33');
INSERT INTO inbox VALUES ('payment', '01a21167-c72b-7512-a647-ba4c160cab0d');
INSERT INTO inbox VALUES ('payment', '01a21167-c75e-7298-a109-12f06b0affae');
INSERT INTO inbox VALUES ('payment', '01a21167-c7d8-764f-a6a0-71be48c77f1d');
INSERT INTO inbox VALUES ('payment', '01a21167-c805-7346-9746-800c86839a6f');
CREATE INDEX payments_of_user ON payments (user_id, id);
CREATE INDEX saga_instance_due ON saga_instance (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX saga_instance_live ON saga_instance (name, definition, node, node_name)
    WHERE phase IN ('running', 'undoing', 'closing');
CREATE INDEX outbox_delivery_replay ON outbox_delivery (consumer, key) WHERE state = 'replay';
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES ('outbox', 8);
COMMIT;
