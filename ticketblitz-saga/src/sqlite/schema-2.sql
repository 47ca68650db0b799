-- For retention: when what is told happened, when an id was first noted, when a saga ended.
ALTER TABLE outbox ADD COLUMN occurred_at INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET occurred_at = 1000000 * CAST(strftime('%s', envelope ->> '$.occurredAt') AS INTEGER)
    WHERE json_valid(envelope) AND strftime('%s', envelope ->> '$.occurredAt') IS NOT NULL;
CREATE INDEX outbox_occurred ON outbox (occurred_at);
CREATE INDEX outbox_delivery_seq ON outbox_delivery (seq);

-- NULL until a purge passes by: whoever claims an id has no clock.
ALTER TABLE inbox ADD COLUMN noted_at INTEGER;
CREATE INDEX inbox_noted ON inbox (noted_at);

CREATE INDEX saga_instance_ended ON saga_instance (updated_at) WHERE phase IN ('completed', 'failed');
