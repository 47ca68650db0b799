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
CREATE TABLE refunds (
    number INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    charge_id TEXT NOT NULL UNIQUE REFERENCES charges (id),
    amount INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE idempotency_keys (
    key TEXT NOT NULL PRIMARY KEY,
    request TEXT NOT NULL,
    result_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE lost_replies (
    reference TEXT NOT NULL,
    payment_method TEXT NOT NULL,
    PRIMARY KEY (reference, payment_method)
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
INSERT INTO _sqlx_migrations VALUES (1, 'ledger', '2026-11-25 06:32:23', 1, X'5D8E53A20DA4033DB1D31CB972EB2E14FB2E045E555240DF48059CC76A8F675F11FDF2B42C12086889B06992F1588879', 873170);
INSERT INTO charges VALUES (1, 'ch_01a21167c652723a8155c0ec6d5d5d75', '01a21167-c648-76f3-8c6d-fbafc314ec8d', 20000, 'EUR', 'succeeded', NULL, 1795588343378147);
INSERT INTO charges VALUES (2, 'ch_01a21167c67976c5bbb2b0f709a1ac19', '01a21167-c66f-7415-a1b4-a536898cb415', 10000, 'EUR', 'succeeded', NULL, 1795588343416656);
INSERT INTO charges VALUES (3, 'ch_01a21167c6a476e7862bf25fcba4a64a', '01a21167-c690-7198-aa6b-f87886827422', 10000, 'EUR', 'failed', 'card_declined', 1795588343459799);
INSERT INTO charges VALUES (4, 'ch_01a21167c6c27271a649af4fdd4209e4', '01a21167-c6b6-7094-a960-a023349d50b9', 10000, 'EUR', 'succeeded', NULL, 1795588343490448);
INSERT INTO charges VALUES (5, 'ch_01a21167c70374188052ab4e621a3891', '01a21167-c6f1-7215-a0f7-f171f1a97ced', 10000, 'EUR', 'succeeded', NULL, 1795588343554797);
INSERT INTO charges VALUES (6, 'ch_01a21167c73473e396785597e2d16d32', '01a21167-c727-777c-88c4-608c62a02e7d', 10000, 'INR', 'succeeded', NULL, 1795588343603531);
INSERT INTO charges VALUES (7, 'ch_01a21167c7e473ba93f6c24624e5a35f', '01a21167-c7d5-72c1-ba5c-5c8e8342e356', 10000, 'EUR', 'succeeded', NULL, 1795588343779725);
INSERT INTO charges VALUES (8, 'ch_01a21167c80d72e0a0d91c3ea30ce6ba', '01a21167-c802-74b7-88d9-0dedec0007db', 7500, 'EUR', 'succeeded', NULL, 1795588343821234);
INSERT INTO refunds VALUES (1, 're_01a21167c6df7508b2625ec22385cdb6', 'ch_01a21167c6c27271a649af4fdd4209e4', 10000, 1795588343519050);
INSERT INTO idempotency_keys VALUES ('charge-01a21167-c648-76f3-8c6d-fbafc314ec8d', '{"charge":"ChargeRequest","reference":"01a21167-c648-76f3-8c6d-fbafc314ec8d","amount":20000,"currency":"EUR","paymentMethod":"pm_ok"}', 'ch_01a21167c652723a8155c0ec6d5d5d75');
INSERT INTO idempotency_keys VALUES ('charge-01a21167-c66f-7415-a1b4-a536898cb415', '{"charge":"ChargeRequest","reference":"01a21167-c66f-7415-a1b4-a536898cb415","amount":10000,"currency":"EUR","paymentMethod":"pm_lost_reply_charged"}', 'ch_01a21167c67976c5bbb2b0f709a1ac19');
INSERT INTO idempotency_keys VALUES ('charge-01a21167-c690-7198-aa6b-f87886827422', '{"charge":"ChargeRequest","reference":"01a21167-c690-7198-aa6b-f87886827422","amount":10000,"currency":"EUR","paymentMethod":"pm_declined"}', 'ch_01a21167c6a476e7862bf25fcba4a64a');
INSERT INTO idempotency_keys VALUES ('charge-01a21167-c6b6-7094-a960-a023349d50b9', '{"charge":"ChargeRequest","reference":"01a21167-c6b6-7094-a960-a023349d50b9","amount":10000,"currency":"EUR","paymentMethod":"pm_ok"}', 'ch_01a21167c6c27271a649af4fdd4209e4');
INSERT INTO idempotency_keys VALUES ('charge-01a21167-c6f1-7215-a0f7-f171f1a97ced', '{"charge":"ChargeRequest","reference":"01a21167-c6f1-7215-a0f7-f171f1a97ced","amount":10000,"currency":"EUR","paymentMethod":"pm_ok"}', 'ch_01a21167c70374188052ab4e621a3891');
INSERT INTO idempotency_keys VALUES ('charge-01a21167-c727-777c-88c4-608c62a02e7d', '{"charge":"ChargeRequest","reference":"01a21167-c727-777c-88c4-608c62a02e7d","amount":10000,"currency":"INR","paymentMethod":"pm_ok"}', 'ch_01a21167c73473e396785597e2d16d32');
INSERT INTO idempotency_keys VALUES ('charge-01a21167-c7d5-72c1-ba5c-5c8e8342e356', '{"charge":"ChargeRequest","reference":"01a21167-c7d5-72c1-ba5c-5c8e8342e356","amount":10000,"currency":"EUR","paymentMethod":"pm_ok"}', 'ch_01a21167c7e473ba93f6c24624e5a35f');
INSERT INTO idempotency_keys VALUES ('charge-01a21167-c802-74b7-88d9-0dedec0007db', '{"charge":"ChargeRequest","reference":"01a21167-c802-74b7-88d9-0dedec0007db","amount":7500,"currency":"EUR","paymentMethod":"pm_slow"}', 'ch_01a21167c80d72e0a0d91c3ea30ce6ba');
INSERT INTO idempotency_keys VALUES ('refund-01a21167-c6b6-7094-a960-a023349d50b9', '{"refund":"RefundRequest","chargeId":"ch_01a21167c6c27271a649af4fdd4209e4"}', 're_01a21167c6df7508b2625ec22385cdb6');
INSERT INTO lost_replies VALUES ('01a21167-c66f-7415-a1b4-a536898cb415', 'pm_lost_reply_charged');
CREATE INDEX charges_by_reference ON charges (reference);
CREATE INDEX saga_instance_due ON saga_instance (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX saga_instance_live ON saga_instance (name, definition, node, node_name)
    WHERE phase IN ('running', 'undoing', 'closing');
CREATE INDEX outbox_delivery_replay ON outbox_delivery (consumer, key) WHERE state = 'replay';
DELETE FROM sqlite_sequence;
COMMIT;
